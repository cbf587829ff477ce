import { randomUUID } from "node:crypto"
import { Context, DateTime, Effect, Layer, Option, Schema } from "effect"
import { SqlClient, type Statement } from "effect/sql"
import { Analytics } from "../analytics/Analytics.ts"
import { Settings } from "../config/Settings.ts"
import { atMostOnce, repeatable } from "../database/DatabaseRetry.ts"
import { taskJson } from "../database/WireJson.ts"
import { Caller } from "../domain/Caller.ts"
import type { ServiceBusy } from "../domain/LimitErrors.ts"
import { finishedStatuses, type Task, TaskId, type TaskModel, type TaskWithFiles } from "../domain/Task.ts"
import {
  DatabaseUnavailable,
  type DesktopHeld,
  InvalidRequest,
  type ModelsUnavailable,
  type NoModelConfigured,
  TaskAlreadyFinished,
  TaskNotFound,
  TaskNotUnderAgentControl,
  TaskNotUnderUserControl
} from "../domain/TaskErrors.ts"
import { ModelCatalog } from "../models/ModelCatalog.ts"
import { measure, metrics } from "../observability/Metrics.ts"
import { currentTraceparent } from "../observability/TraceParent.ts"
import { Placement } from "../placement/Placement.ts"
import { releaseHold, takeHold, unlessHeld } from "./DesktopHolds.ts"
import { Dispatch } from "./Dispatch.ts"
import { makeInsertTask, type NewTask } from "./TaskInsertion.ts"
import { listTasks, type TaskList, type TaskListOptions } from "./TaskList.ts"
import { keepsDesktop, patchedColumns, type TaskPatch } from "./TaskPatch.ts"
import { makeCheckPrices } from "./TaskPrices.ts"
import {
  type Reserve,
  type TaskRow,
  taskColumns,
  taskOf,
  tasksOf,
  type WholeTaskRow,
  wholeTaskColumns,
  wholeTaskOf,
  wishesOf
} from "./TaskRow.ts"
import { visibleTo } from "./Visibility.ts"

/** Tasks as their users see and steer them: a task of somebody else is as if absent. Every change is committed, with its event, before the effect returns. */
export class Tasks extends Context.Service<
  Tasks,
  {
    /** Stores the task, its files and its first message, and wakes a worker. A desktop that does not exist is an invalid request. */
    readonly create: (
      task: NewTask
    ) => Effect.Effect<Task, InvalidRequest | NoModelConfigured | ModelsUnavailable | DatabaseUnavailable, Caller>
    /** `reserve` is asked before the task's files are read. */
    readonly getReserving: (
      id: TaskId,
      reserve: Reserve
    ) => Effect.Effect<TaskWithFiles, TaskNotFound | ServiceBusy | DatabaseUnavailable, Caller>
    readonly get: (id: TaskId) => Effect.Effect<TaskWithFiles, TaskNotFound | DatabaseUnavailable, Caller>
    /** Newest first. */
    readonly list: (options: TaskListOptions) => Effect.Effect<TaskList, DatabaseUnavailable, Caller>
    /** Tasks that the caller was given in a list; those that are gone are left out. */
    readonly withIds: (ids: ReadonlyArray<string>) => Effect.Effect<ReadonlyArray<Task>, DatabaseUnavailable>
    /** The RUNNING task that was taken up last, if any. */
    readonly inProgress: Effect.Effect<Option.Option<Task>, DatabaseUnavailable, Caller>
    /** Changes fields of the task as somebody from outside sees fit; a run that goes on ends when the status changes (see `TaskPatch`). */
    readonly update: (id: TaskId, patch: TaskPatch) => Effect.Effect<Task, TaskNotFound | DatabaseUnavailable, Caller>
    /** Deletes the task with all that belongs to it; a running one stops. */
    readonly remove: (id: TaskId) => Effect.Effect<void, TaskNotFound | DatabaseUnavailable, Caller>
    /**
     * Gives the desktop to the user: the run stops at once and what the user does is captured (docs/contract/agent.md, "User control"). Refused
     * where another person controls that desktop.
     */
    readonly takeover: (
      id: TaskId
    ) => Effect.Effect<Task, TaskNotFound | TaskNotUnderAgentControl | DesktopHeld | DatabaseUnavailable, Caller>
    /** Gives the desktop back to the agent, from any status; the task runs again. */
    readonly resume: (
      id: TaskId
    ) => Effect.Effect<Task, TaskNotFound | TaskNotUnderUserControl | DatabaseUnavailable, Caller>
    /** Ends the task for good, at once. */
    readonly cancel: (
      id: TaskId
    ) => Effect.Effect<Task, TaskNotFound | TaskAlreadyFinished | DatabaseUnavailable, Caller>
  }
>()("bytebot/Tasks") {
  static readonly layer = Layer.effect(
    Tasks,
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const settings = yield* Settings
      const catalog = yield* ModelCatalog
      const placement = yield* Placement
      const analytics = yield* Analytics
      const dispatch = yield* Dispatch
      const json = sql.literal(taskJson("task"))
      const columns = sql.literal(taskColumns("task"))
      const whole = wholeTaskOf(sql)
      const visible = (alias: string) => Effect.map(Caller, (caller) => visibleTo(sql, caller, alias))

      const insertTask = makeInsertTask(sql)
      /** Inserts the task with all that belongs to it, unless an earlier attempt has done so; answers the task. */
      const insert = Effect.fnUntraced(function* (id: TaskId, messageId: string, input: NewTask, model: TaskModel) {
        const { userId } = yield* Caller
        const at = DateTime.toDateUtc(yield* DateTime.now)
        const traceparent = Option.getOrNull(yield* currentTraceparent)
        const inserted = yield* insertTask({ ...input, id, messageId, model, at, userId, traceparent })
        const [row] = Option.isSome(inserted)
          ? [inserted.value]
          : yield* sql<TaskRow>`SELECT ${columns} FROM "Task" task WHERE task."id" = ${id}`
        return row === undefined ? yield* Effect.die(new Error("A task that was created is gone")) : taskOf(row)
      }, repeatable)

      /** Refuses names that no desktop has. */
      const checkDesktop = (wanted: string | undefined) => {
        const known = settings.desktops.map(({ name }) => name)
        if (wanted === undefined || known.includes(wanted)) return Effect.void
        const expected = known.length === 0 ? "none, as no desktop is configured" : `one of ${known.join(", ")}`
        return Effect.fail(new InvalidRequest({ message: `desktop: expected ${expected}` }))
      }

      /** Refuses files that are too many or too large. */
      const checkFiles = (files: NewTask["files"] = []) => {
        const { maxFiles, maxFileSize } = settings
        if (files.length > maxFiles)
          return Effect.fail(new InvalidRequest({ message: `files: expected at most ${maxFiles}` }))
        const large = files.findIndex(({ data }) => Buffer.byteLength(data, "base64") > maxFileSize)
        return large === -1
          ? Effect.void
          : Effect.fail(new InvalidRequest({ message: `files[${large}]: expected at most ${maxFileSize} bytes` }))
      }

      const checkPrices = yield* makeCheckPrices

      const create = Effect.fn("Tasks.create")(function* (input: NewTask) {
        const id = input.id ?? TaskId.make(randomUUID())
        yield* Effect.annotateCurrentSpan({ "task.id": id })
        yield* checkDesktop(input.desktop)
        yield* checkFiles(input.files)
        const model = input.model ?? (yield* catalog.default)
        yield* checkPrices(model)
        const task = yield* insert(id, randomUUID(), input, model)
        const due = task.scheduledFor
        yield* due === null || DateTime.isLessThanOrEqualTo(due, yield* DateTime.now)
          ? dispatch.wakeSoon
          : dispatch.wakeAt(due, input.desktop)
        return { ...task, ...wishesOf(input) }
      })

      const getReserving = Effect.fn("Tasks.get")(function* (id: TaskId, reserve: Reserve) {
        yield* Effect.annotateCurrentSpan({ "task.id": id })
        const caller = yield* Caller
        const [row] = yield* caller.seesAll
          ? sql.unsafe<WholeTaskRow>(byId, [id])
          : sql.unsafe<WholeTaskRow>(`${byId} AND task."userId" = $2`, [id, caller.userId])
        return row === undefined ? yield* new TaskNotFound({ id }) : yield* whole(row, reserve)
      }, repeatable)
      const get = (id: TaskId) =>
        Effect.catchTag(
          getReserving(id, () => Effect.void),
          "ServiceBusy",
          Effect.die
        )

      const inProgress = Effect.gen(function* () {
        const [row] = yield* sql<TaskRow>`
          SELECT ${columns} FROM "Task" task WHERE task."status" = 'RUNNING' AND ${yield* visible("task")}
          ORDER BY task."executedAt" DESC NULLS LAST, task."position" DESC LIMIT 1`
        return Option.map(Option.fromUndefinedOr(row), taskOf)
      }).pipe(repeatable, Effect.withSpan("Tasks.inProgress"))

      /** Tells the worker whose desktop has to do with the task. That desktop may be free now, and the task due. */
      const tellWorker = (id: TaskId, desktop: string | null) =>
        desktop === null ? dispatch.wakeIdle : Effect.andThen(placement.control(desktop, id), placement.wake(desktop))

      /** After a lost answer the change may have been committed: every worker asks the database about its own desktop. */
      const orLook = <A, E, R>(id: TaskId, change: Effect.Effect<A, E | DatabaseUnavailable, R>) =>
        Effect.tapError(change, (error) =>
          error instanceof DatabaseUnavailable
            ? Effect.forEach(settings.desktops, ({ url }) => placement.control(url, id), {
                concurrency: "unbounded",
                discard: true
              })
            : Effect.void
        )

      const fenced = (how: { readonly run: string }, at: Date) => sql`
        UPDATE "TaskRun" run SET ${sql.literal(how.run)}, "epoch" = run."epoch" + 1, "interruptedAt" = ${at}, "updatedAt" = ${at},
          "failures" = 0, "retryAt" = NULL
        FROM moved task WHERE run."taskId" = task."id" RETURNING run."desktop", run."taskId", run."active"`

      /**
       * The same; a task that has not been on a desktop yet gets one: the one it asks for, else, if possible, one that answers, that no other
       * person holds, and that is idle.
       */
      const placed = (at: Date, userId: string | null) => sql`
        INSERT INTO "TaskRun" ("taskId", "desktop", "epoch", "active", "createdAt", "updatedAt")
        SELECT task."id", coalesce((SELECT r."desktop" FROM "TaskRun" r WHERE r."taskId" = task."id"), (
            SELECT d."url" FROM json_to_recordset(${JSON.stringify(settings.desktops)}::json) AS d("name" text, "url" text)
            LEFT JOIN "DesktopOwner" o ON o."desktop" = d."url" LEFT JOIN "TaskRun" held ON held."active" AND held."desktop" = d."url"
            LEFT JOIN "DesktopHold" h ON h."desktop" = d."url"
            ORDER BY d."name" = (SELECT w."desktop" FROM "TaskDesktop" w WHERE w."taskId" = task."id") DESC NULLS LAST,
              o."unreachableSince" IS NULL DESC, coalesce(h."userId" <> ${userId}, FALSE), held."taskId" IS NULL DESC LIMIT 1
          )), 1, FALSE, ${at}, ${at} FROM moved task
        ON CONFLICT ("taskId") DO UPDATE SET "epoch" = "TaskRun"."epoch" + 1, "interruptedAt" = ${at}, "updatedAt" = ${at},
          "failures" = 0, "retryAt" = NULL
        RETURNING "desktop", "taskId", "active"`

      /**
       * One transition of a task by its user: changes the row where `when` holds and, where it `moves` the task, fences the run that goes
       * on, so that nothing of it is written any more once this is committed.
       */
      const change = Effect.fnUntraced(function* <E>(id: TaskId, how: Transition<E>) {
        const { userId } = yield* Caller
        const isVisible = yield* visible('"Task"')
        const at = DateTime.toDateUtc(yield* DateTime.now)
        const places = how.control === "taken" && settings.desktops.length > 0
        const hold = how.control === "taken" ? takeHold(sql, userId, at) : releaseHold(sql)
        const traceparent = how.setsGoing === true ? Option.getOrNull(yield* currentTraceparent) : null
        const [row] = yield* sql<ChangedRow>`
          WITH seen AS (
            SELECT "id", "status" FROM "Task" WHERE "id" = ${id} AND ${isVisible} AND ${sql.literal(how.when)} FOR NO KEY UPDATE
          ), task AS (
            UPDATE "Task" SET ${how.set(at)}, "updatedAt" = ${at} FROM seen WHERE "Task"."id" = seen."id" RETURNING "Task".*
          ), moved AS (
            SELECT task."id" FROM task JOIN seen ON seen."id" = task."id" WHERE ${sql.literal(how.moves ?? "TRUE")}
          ), run AS (${places ? placed(at, userId) : fenced(how, at)}), hold AS (${how.control === undefined ? sql.literal("SELECT 1") : hold}), trace AS (
            INSERT INTO "TaskTrace" ("taskId", "traceparent") SELECT task."id", ${traceparent} FROM task WHERE ${traceparent}::text IS NOT NULL
            ON CONFLICT ("taskId") DO UPDATE SET "previous" = "TaskTrace"."traceparent", "traceparent" = excluded."traceparent"
          ), event AS (
            INSERT INTO "TaskEvent" ("taskId", "kind", "payload", "createdAt") SELECT task."id", 'task_updated', ${json}, ${at} FROM task
          )
          SELECT ${columns}, (SELECT "desktop" FROM run) AS desktop, coalesce((SELECT "active" FROM run), FALSE) AS "isActive", EXISTS (SELECT 1 FROM moved) AS "hasMoved", EXISTS (SELECT 1 FROM hold) AS "isHeld" FROM task`
        if (row === undefined) {
          const found = yield* sql`SELECT 1 FROM "Task" WHERE "id" = ${id} AND ${isVisible}`
          return yield* Effect.fail(found.length === 0 ? new TaskNotFound({ id }) : how.refused(id))
        }
        const { desktop, hasMoved, isActive, isHeld } = row
        return { task: taskOf(row), desktop, hasMoved, isActive, isHeld } satisfies Changed
      }, atMostOnce)

      /** A desktop that claimed the task while it was being changed was not seen by the change. */
      const desktopOf = Effect.fnUntraced(function* (id: TaskId) {
        const rows = yield* sql`SELECT "desktop" FROM "TaskRun" WHERE "taskId" = ${id}`
        return rows[0] === undefined ? null : (yield* decodeDesktop(rows[0])).desktop
      }, repeatable)

      const transition = Effect.fnUntraced(function* <E, R>(id: TaskId, changing: Effect.Effect<Changed, E, R>) {
        yield* Effect.annotateCurrentSpan({ "task.id": id })
        const { desktop, ...changed } = yield* orLook(id, changing)
        yield* tellWorker(id, desktop ?? (yield* desktopOf(id)))
        return changed
      })

      const takeover = Effect.fn("Tasks.takeover")((id: TaskId) =>
        transition(
          id,
          change(id, {
            set: () => sql.literal(`"control" = 'USER', "error" = NULL`),
            when: `"control" = 'ASSISTANT'`,
            run: `"active" = run."active"`,
            control: "taken",
            refused: () => new TaskNotUnderAgentControl({ id })
          }).pipe(unlessHeld(sql, id))
        ).pipe(Effect.map(({ task }) => task))
      )

      const resume = Effect.fn("Tasks.resume")((id: TaskId) =>
        transition(
          id,
          change(id, {
            set: () =>
              sql.literal(`"control" = 'ASSISTANT', "status" = 'RUNNING', "error" = NULL, "completedAt" = NULL`),
            when: `"control" = 'USER'`,
            run: `"active" = run."active"`,
            control: "released",
            setsGoing: true,
            refused: () => new TaskNotUnderUserControl({ id })
          })
        ).pipe(Effect.map(({ task }) => task))
      )

      const cancel = Effect.fn("Tasks.cancel")((id: TaskId) =>
        transition(
          id,
          change(id, {
            set: () => sql.literal(`"status" = 'CANCELLED', "error" = NULL`),
            when: `"status" NOT IN ('COMPLETED', 'FAILED', 'CANCELLED')`,
            run: `"active" = FALSE`,
            control: "released",
            refused: () => new TaskAlreadyFinished({ id })
          })
        ).pipe(
          Effect.map(({ task }) => task),
          Effect.tap(() => measure(metrics.tasksEnded, 1, { status: "CANCELLED" })),
          Effect.tap(() => analytics.report(id))
        )
      )

      const update = Effect.fn("Tasks.update")(function* (id: TaskId, patch: TaskPatch) {
        const { hasMoved, task } = yield* transition(
          id,
          change(id, {
            set: (at) => patchedColumns(sql, patch, at),
            when: "TRUE",
            moves: 'seen."status" <> task."status"',
            run:
              patch.status !== undefined && keepsDesktop(patch.status) ? `"active" = run."active"` : `"active" = FALSE`,
            control: patch.status === "NEEDS_HELP" ? "taken" : patch.status === "CANCELLED" ? "released" : undefined,
            setsGoing: patch.status === "RUNNING" || patch.status === "PENDING",
            refused: () => new TaskNotFound({ id })
          })
        )
        if (hasMoved && finishedStatuses.includes(task.status)) {
          yield* measure(metrics.tasksEnded, 1, { status: task.status })
          yield* analytics.report(id)
        }
        return { ...task, ...wishesOf({ effort: patch.effort }) }
      })

      const drop = Effect.fnUntraced(function* (id: TaskId) {
        const at = DateTime.toDateUtc(yield* DateTime.now)
        const rows = yield* sql`
          WITH task AS (
            DELETE FROM "Task" WHERE "id" = ${id} AND ${yield* visible('"Task"')} RETURNING "id", "userId"
          ), event AS (
            INSERT INTO "TaskEvent" ("taskId", "kind", "payload", "createdAt", "userId")
            SELECT task."id", 'task_deleted', to_json(task."id"), ${at}, task."userId" FROM task
          )
          SELECT (SELECT run."desktop" FROM "TaskRun" run WHERE run."taskId" = task."id") AS desktop FROM task`
        if (rows[0] === undefined) return yield* new TaskNotFound({ id })
        return yield* decodeDesktop(rows[0])
      }, atMostOnce)

      const remove = Effect.fn("Tasks.remove")(function* (id: TaskId) {
        yield* Effect.annotateCurrentSpan({ "task.id": id })
        const { desktop } = yield* orLook(id, drop(id))
        yield* tellWorker(id, desktop)
      })

      return Tasks.of({
        create,
        get,
        getReserving,
        list: listTasks(sql),
        withIds: Effect.fn("Tasks.withIds")(tasksOf(sql), repeatable),
        inProgress,
        update,
        remove,
        takeover,
        resume,
        cancel
      })
    })
  )
}

/** Changes of a task's row and its run's, as SQL, and what is said where they do not apply. */
interface Transition<E> {
  readonly set: (at: Date) => Statement.Fragment
  readonly when: string
  /** Whether the change ends the run that goes on, by what was `seen` and the `task` now; it does, unless told otherwise. */
  readonly moves?: string
  readonly run: string
  /** `taken`: a person controls the task from now on, on the desktop that it has or gets. `released`: no input is captured for it any more. */
  readonly control?: "taken" | "released" | undefined
  /** What the task does next is done for this request: its run continues the request's trace. */
  readonly setsGoing?: boolean
  readonly refused: (id: TaskId) => E
}

/** What came of a change, beside the task. */
interface Change {
  /** The desktop of the task's run. */
  readonly desktop: string | null
  /** Whether the change has ended the run that went on. */
  readonly hasMoved: boolean
  /** Whether the task keeps the desktop from others: it has run there, and has not ended. */
  readonly isActive: boolean
  /** Whether the desktop's input goes to the task, after a takeover. */
  readonly isHeld: boolean
}
interface Changed extends Change {
  readonly task: Task
}
interface ChangedRow extends TaskRow, Change {}

const decodeDesktop = Schema.decodeUnknownEffect(Schema.Struct({ desktop: Schema.NullOr(Schema.String) }))
/** Made once, as it is asked more often than anything else. */
const byId = `SELECT ${wholeTaskColumns("task")} FROM "Task" task WHERE task."id" = $1`
