import { DateTime, Effect, Option, Schema } from "effect"
import { SqlClient, type Statement } from "effect/sql"
import { Analytics } from "../analytics/Analytics.ts"
import { Settings, type SettingsValues } from "../config/Settings.ts"
import { atMostOnce, repeatable } from "../database/DatabaseRetry.ts"
import { Caller } from "../domain/Caller.ts"
import {
  type Effort,
  finishedStatuses,
  type Task,
  type TaskId,
  type TaskPriority,
  type TaskStatus
} from "../domain/Task.ts"
import {
  DatabaseUnavailable,
  TaskAlreadyFinished,
  TaskNotFound,
  TaskNotUnderAgentControl,
  TaskNotUnderUserControl
} from "../domain/TaskErrors.ts"
import { measure, metrics } from "../observability/Metrics.ts"
import { currentTraceparent } from "../observability/TraceParent.ts"
import { Placement } from "../placement/Placement.ts"
import { releaseHold, takeHold, unlessHeld } from "./DesktopHolds.ts"
import { Dispatch } from "./Dispatch.ts"
import { type TaskRow, taskColumns, taskOf, taskUpdated, wishesOf } from "./TaskRow.ts"
import { visibleTo } from "./Visibility.ts"

/** Fields of a task that a client may set (docs/contract/rest.md, `PATCH /tasks/:id`); null clears an instant, absent fields stay. */
export interface TaskPatch {
  readonly status?: TaskStatus | undefined
  readonly priority?: TaskPriority | undefined
  readonly effort?: Effort | null | undefined
  readonly queuedAt?: DateTime.Utc | null | undefined
  readonly executedAt?: DateTime.Utc | null | undefined
  readonly completedAt?: DateTime.Utc | null | undefined
}

/** A change of a task by its user: of its row and its run's, as SQL, and the error where it does not apply. */
interface Transition<E> {
  readonly set: (sql: SqlClient.SqlClient, at: Date) => Statement.Fragment
  readonly when: string
  /** Whether the change ends the run that goes on, by the row as `seen` and the `task` now; it does, unless told otherwise. */
  readonly moves?: string
  /** Whether the task stays on the desktop that it holds. */
  readonly keepsDesktop: boolean
  /** `taken`: a person controls the task from now on, on the desktop that it has or gets. `released`: no input is captured for it any more. */
  readonly control?: "taken" | "released" | undefined
  /** What the task does next is done for this request: its run continues the request's trace. */
  readonly setsGoing?: boolean
  readonly refused: (id: TaskId) => E
}

const takingOver: Transition<TaskNotUnderAgentControl> = {
  set: (sql) => sql.literal(`"control" = 'USER', "error" = NULL`),
  when: `"control" = 'ASSISTANT'`,
  keepsDesktop: true,
  control: "taken",
  refused: (id) => new TaskNotUnderAgentControl({ id })
}

const resuming: Transition<TaskNotUnderUserControl> = {
  set: (sql) => sql.literal(`"control" = 'ASSISTANT', "status" = 'RUNNING', "error" = NULL, "completedAt" = NULL`),
  when: `"control" = 'USER'`,
  keepsDesktop: true,
  control: "released",
  setsGoing: true,
  refused: (id) => new TaskNotUnderUserControl({ id })
}

const cancelling: Transition<TaskAlreadyFinished> = {
  set: (sql) => sql.literal(`"status" = 'CANCELLED', "error" = NULL`),
  when: `"status" NOT IN ('COMPLETED', 'FAILED', 'CANCELLED')`,
  keepsDesktop: false,
  control: "released",
  refused: (id) => new TaskAlreadyFinished({ id })
}

const patching = (patch: TaskPatch): Transition<TaskNotFound> => ({
  set: (sql, at) => patchedColumns(sql, patch, at),
  when: "TRUE",
  moves: 'seen."status" <> task."status"',
  keepsDesktop: patch.status === "RUNNING" || patch.status === "NEEDS_HELP",
  control: patch.status === "NEEDS_HELP" ? "taken" : patch.status === "CANCELLED" ? "released" : undefined,
  setsGoing: patch.status === "RUNNING" || patch.status === "PENDING",
  refused: (id) => new TaskNotFound({ id })
})

/**
 * What is assigned to the columns of "Task". The consequences of a status apply only where it is a new one, as in the service's own
 * transitions: its error is cleared, a completed task has an end, one that is to run has none, and one that needs help is under its user's
 * control.
 */
const patchedColumns = (sql: SqlClient.SqlClient, patch: TaskPatch, at: Date) => {
  const { completedAt, effort, executedAt, priority, queuedAt, status } = patch
  const instant = (column: string, value: DateTime.Utc | null | undefined) =>
    value === undefined
      ? []
      : [sql`${sql.literal(`"${column}"`)} = ${value === null ? null : DateTime.toDateUtc(value)}::timestamptz`]
  const ifNew = (column: string, value: Statement.Fragment) => [
    sql`${sql.literal(`"${column}"`)} = CASE WHEN "Task"."status" = ${status ?? null}::"TaskStatus" THEN ${sql.literal(`"Task"."${column}"`)} ELSE ${value} END`
  ]
  const end =
    status === "COMPLETED"
      ? ifNew("completedAt", sql`${at}::timestamptz`)
      : status === "PENDING" || status === "RUNNING"
        ? ifNew("completedAt", sql.literal("NULL"))
        : []
  return sql.csv([
    // Something is always assigned, so that an empty patch is a statement, too.
    sql`"priority" = coalesce(${priority ?? null}::"TaskPriority", "Task"."priority")`,
    ...(effort === undefined ? [] : [sql`"effort" = ${effort}`]),
    ...(status === undefined ? [] : [sql`"status" = ${status}::"TaskStatus"`, ...ifNew("error", sql.literal("NULL"))]),
    ...(status === "NEEDS_HELP" ? ifNew("control", sql.literal(`'USER'::"Role"`)) : []),
    ...instant("queuedAt", queuedAt),
    ...instant("executedAt", executedAt),
    ...(completedAt === undefined ? end : instant("completedAt", completedAt))
  ])
}

/** The task after a transition, and what came of it. */
interface Changed {
  readonly task: Task
  /** The desktop of the task's run. */
  readonly desktop: string | null
  /** Whether the run was active on its desktop, and stays so. */
  readonly isActive: boolean
  readonly hasNewStatus: boolean
  /** Whether the desktop's input goes to the task, after a takeover. */
  readonly isHeld: boolean
}

/** Changes of a task by its user. Each is committed, with its event, before the effect returns. */
export const makeTransitions = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  const { desktops } = yield* Settings
  const placement = yield* Placement
  const analytics = yield* Analytics
  const dispatch = yield* Dispatch
  const change = makeChange(sql, desktops)

  /** A desktop that claimed the task while it was being changed was not seen by the change. */
  const desktopOf = Effect.fnUntraced(function* (id: TaskId) {
    const rows = yield* sql`SELECT "desktop" FROM "TaskRun" WHERE "taskId" = ${id}`
    return rows[0] === undefined ? null : (yield* decodeDesktop(rows[0])).desktop
  }, repeatable)

  /** Tells the worker of the task's desktop. That desktop may be free now, and the task due. */
  const tellWorker = (id: TaskId, desktop: string | null) =>
    desktop === null ? dispatch.wakeIdle : Effect.andThen(placement.control(desktop, id), placement.wake(desktop))

  /** After a lost answer the change may have been committed: every worker asks the database about its own desktop. */
  const tellAllIfUnknown = <A, E, R>(id: TaskId, change: Effect.Effect<A, E, R>) =>
    Effect.tapError(change, (error) =>
      error instanceof DatabaseUnavailable
        ? Effect.forEach(desktops, ({ url }) => placement.control(url, id), { concurrency: "unbounded", discard: true })
        : Effect.void
    )

  const transition = Effect.fnUntraced(function* <E, R>(id: TaskId, changing: Effect.Effect<Changed, E, R>) {
    yield* Effect.annotateCurrentSpan({ "task.id": id })
    const { desktop, hasNewStatus, task } = yield* tellAllIfUnknown(id, changing)
    yield* tellWorker(id, desktop ?? (yield* desktopOf(id)))
    if (hasNewStatus && finishedStatuses.includes(task.status)) {
      yield* measure(metrics.tasksEnded, 1, { status: task.status })
      yield* analytics.report(id)
    }
    return task
  })

  return {
    /**
     * Gives the desktop to the user: the run stops at once and what the user does is captured (docs/contract/agent.md, "User control").
     * Refused where another person controls that desktop.
     */
    takeover: Effect.fn("Tasks.takeover")((id: TaskId) =>
      transition(id, change(id, takingOver).pipe(unlessHeld(sql, id)))
    ),
    /** Gives the desktop back to the agent, from any status; the task runs again. */
    resume: Effect.fn("Tasks.resume")((id: TaskId) => transition(id, change(id, resuming))),
    /** Ends the task at once. */
    cancel: Effect.fn("Tasks.cancel")((id: TaskId) => transition(id, change(id, cancelling))),
    /** Changes fields of the task as its client sees fit; a run that goes on ends when the status changes. */
    update: Effect.fn("Tasks.update")((id: TaskId, patch: TaskPatch) =>
      Effect.map(transition(id, change(id, patching(patch))), (task) => ({
        ...task,
        ...wishesOf({ effort: patch.effort })
      }))
    ),
    /** Deletes the task with all that belongs to it; a running one stops. */
    remove: Effect.fn("Tasks.remove")(function* (id: TaskId) {
      yield* Effect.annotateCurrentSpan({ "task.id": id })
      const { desktop } = yield* tellAllIfUnknown(id, remove(sql, id))
      yield* tellWorker(id, desktop)
    })
  }
})

/**
 * Carries a transition out: changes the row where `when` holds and, where it `moves` the task, fences the run that goes on, so that the run
 * can write nothing once this is committed. A task that is taken over and has not been on a desktop yet gets one: the one it asks for, else,
 * if possible, one that answers, that no other person holds, and that is idle.
 */
const makeChange = (sql: SqlClient.SqlClient, desktops: SettingsValues["desktops"]) => {
  const fenced = (keepsDesktop: boolean, at: Date) => sql`
    UPDATE "TaskRun" run SET "active" = run."active" AND ${keepsDesktop}::boolean, "epoch" = run."epoch" + 1, "interruptedAt" = ${at}, "updatedAt" = ${at},
      "failures" = 0, "retryAt" = NULL
    FROM moved task WHERE run."taskId" = task."id" RETURNING run."desktop", run."taskId", run."active"`

  const placed = (at: Date, userId: string | null) => sql`
    INSERT INTO "TaskRun" ("taskId", "desktop", "epoch", "active", "createdAt", "updatedAt")
    SELECT task."id", coalesce((SELECT r."desktop" FROM "TaskRun" r WHERE r."taskId" = task."id"), (
        SELECT d."url" FROM json_to_recordset(${JSON.stringify(desktops)}::json) AS d("name" text, "url" text)
        LEFT JOIN "DesktopOwner" o ON o."desktop" = d."url" LEFT JOIN "TaskRun" held ON held."active" AND held."desktop" = d."url"
        LEFT JOIN "DesktopHold" h ON h."desktop" = d."url"
        ORDER BY d."name" = (SELECT w."desktop" FROM "TaskDesktop" w WHERE w."taskId" = task."id") DESC NULLS LAST,
          o."unreachableSince" IS NULL DESC, coalesce(h."userId" <> ${userId}, FALSE), held."taskId" IS NULL DESC LIMIT 1
      )), 1, FALSE, ${at}, ${at} FROM moved task
    ON CONFLICT ("taskId") DO UPDATE SET "epoch" = "TaskRun"."epoch" + 1, "interruptedAt" = ${at}, "updatedAt" = ${at},
      "failures" = 0, "retryAt" = NULL
    RETURNING "desktop", "taskId", "active"`

  return Effect.fnUntraced(function* <E>(id: TaskId, how: Transition<E>) {
    const caller = yield* Caller
    const isVisible = visibleTo(sql, caller, '"Task"')
    const at = DateTime.toDateUtc(yield* DateTime.now)
    const isTaken = how.control === "taken"
    const run = isTaken && desktops.length > 0 ? placed(at, caller.userId) : fenced(how.keepsDesktop, at)
    const hold = isTaken ? takeHold(sql, caller.userId, at) : releaseHold(sql)
    const traceparent = how.setsGoing === true ? Option.getOrNull(yield* currentTraceparent) : null
    const [row] = yield* sql<TaskRow & Omit<Changed, "task">>`
      WITH seen AS (
        SELECT "id", "status" FROM "Task" WHERE "id" = ${id} AND ${isVisible} AND ${sql.literal(how.when)} FOR NO KEY UPDATE
      ), task AS (
        UPDATE "Task" SET ${how.set(sql, at)}, "updatedAt" = ${at} FROM seen WHERE "Task"."id" = seen."id" RETURNING "Task".*
      ), moved AS (
        SELECT task."id" FROM task JOIN seen ON seen."id" = task."id" WHERE ${sql.literal(how.moves ?? "TRUE")}
      ), run AS (${run}), hold AS (${how.control === undefined ? sql.literal("SELECT 1") : hold}), trace AS (
        INSERT INTO "TaskTrace" ("taskId", "traceparent") SELECT task."id", ${traceparent} FROM task WHERE ${traceparent}::text IS NOT NULL
        ON CONFLICT ("taskId") DO UPDATE SET "previous" = "TaskTrace"."traceparent", "traceparent" = excluded."traceparent"
      ), event AS (${taskUpdated(sql, at)})
      SELECT ${sql.literal(taskColumns("task"))}, (SELECT "desktop" FROM run) AS desktop, coalesce((SELECT "active" FROM run), FALSE) AS "isActive",
        seen."status" <> task."status" AS "hasNewStatus", EXISTS (SELECT 1 FROM hold) AS "isHeld" FROM task JOIN seen ON seen."id" = task."id"`
    if (row === undefined) {
      const found = yield* sql`SELECT 1 FROM "Task" WHERE "id" = ${id} AND ${isVisible}`
      return yield* Effect.fail(found.length === 0 ? new TaskNotFound({ id }) : how.refused(id))
    }
    const { desktop, hasNewStatus, isActive, isHeld } = row
    return { task: taskOf(row), desktop, hasNewStatus, isActive, isHeld } satisfies Changed
  }, atMostOnce)
}

const remove = Effect.fnUntraced(function* (sql: SqlClient.SqlClient, id: TaskId) {
  const at = DateTime.toDateUtc(yield* DateTime.now)
  const rows = yield* sql`
    WITH task AS (
      DELETE FROM "Task" WHERE "id" = ${id} AND ${visibleTo(sql, yield* Caller, '"Task"')} RETURNING "id", "userId"
    ), event AS (
      INSERT INTO "TaskEvent" ("taskId", "kind", "payload", "createdAt", "userId")
      SELECT task."id", 'task_deleted', to_json(task."id"), ${at}, task."userId" FROM task
    )
    SELECT (SELECT run."desktop" FROM "TaskRun" run WHERE run."taskId" = task."id") AS desktop FROM task`
  if (rows[0] === undefined) return yield* new TaskNotFound({ id })
  return yield* decodeDesktop(rows[0])
}, atMostOnce)

const decodeDesktop = Schema.decodeUnknownEffect(Schema.Struct({ desktop: Schema.NullOr(Schema.String) }))
