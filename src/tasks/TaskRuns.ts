import { Cause, Context, DateTime, Duration, Effect, Layer, Option, Result, Schema } from "effect"
import { SqlClient, SqlError } from "effect/sql"
import { Settings } from "../config/Settings.ts"
import { isOutage } from "../database/DatabaseFailure.ts"
import { repeatable } from "../database/DatabaseRetry.ts"
import { storableJson, storableText } from "../database/StorableJson.ts"
import { taskJson } from "../database/WireJson.ts"
import { Role, Task, TaskId, TaskStatus } from "../domain/Task.ts"
import type { DatabaseUnavailable } from "../domain/TaskErrors.ts"
import { measure, metrics } from "../observability/Metrics.ts"
import { BrokenRuns } from "./BrokenRuns.ts"
import { nextDueFor } from "./DueTasks.ts"
import { type Lease, LeaseLost, type Ownership, ownedTask, type TakenOwnership, WorkerReplaced } from "./Lease.ts"
import { claimEvents, queuedAt } from "./QueuedOnClaim.ts"
import { makeRefusedClaims } from "./RefusedClaims.ts"

/** How a run ends its task; the description of a completed one goes to `result`, what went wrong to `error`. */
export type Outcome =
  | { readonly status: "COMPLETED"; readonly description: string }
  | { readonly status: "FAILED"; readonly error: string }
  | { readonly status: "NEEDS_HELP"; readonly error?: string }

/** A claimed task; a reply stored before `interruptedAt` (UTC) belongs to a run that was broken off, its open tools are not to be run. */
export interface Claim {
  readonly task: Task
  readonly lease: Lease
  /** Just before it was claimed (UTC). */
  readonly claimedAt: DateTime.Utc
  readonly interruptedAt: DateTime.Utc | null
  /** The task asks for this desktop by name. */
  readonly isBound: boolean
  /** The task has worked on another desktop before, and the model does not know yet that it had to leave. */
  readonly hasMoved: boolean
  /** How many of the task's files, oldest first, its desktop has. */
  readonly filesWritten: number
  /** Runs of the task in a row that broke off before this one. */
  readonly failures: number
  /** The request that set the task going, and the one that did so before, as W3C traceparent. */
  readonly traceparent: string | null
  readonly previousTraceparent: string | null
}

/** A task as the worker of a desktop sees it after a control command. */
export interface Standing {
  readonly control: Role
  readonly status: TaskStatus
  readonly epoch: number | null
  readonly desktop: string | null
}

/** A desktop that is not in the settings may still be in those of a replica that was not restarted yet; its worker is heard then. */
const removedAfter = Duration.minutes(1)

/** Tasks as the agent's workers see them: which is next, who owns it, how it ended. */
export class TaskRuns extends Context.Service<
  TaskRuns,
  {
    /** Makes the worker of this replica the one that drives the desktop; those before it claim nothing any more. */
    readonly own: (desktop: string, replica: string) => Effect.Effect<TakenOwnership, DatabaseUnavailable>
    /**
     * Frees the tasks that the worker's desktop, which does not answer, keeps from going on elsewhere: those under the agent's control
     * that do not ask for this desktop. They must not run any more. True when there were any.
     */
    readonly leave: (owner: Ownership) => Effect.Effect<boolean, DatabaseUnavailable>
    /** Frees the tasks of desktops that are in no replica's settings any more. */
    readonly leaveRemoved: Effect.Effect<void, DatabaseUnavailable>
    /** The run works: runs that broke off before it do not count any more. */
    readonly recovered: (lease: Lease) => Effect.Effect<void, LeaseLost | DatabaseUnavailable>
    /** The desktop of the lease has so many of the task's files, oldest first, also when the lease is lost. */
    readonly filesWritten: (lease: Lease, count: number) => Effect.Effect<void, DatabaseUnavailable>
    /** The model knows that the task has moved to this desktop. */
    readonly arrived: (lease: Lease) => Effect.Effect<void, LeaseLost | DatabaseUnavailable>
    /**
     * Makes the next due task the desktop's own and RUNNING (docs/contract/agent.md, "Pick"). None when nothing is due, or while another
     * task holds the desktop: one that needs help or that the user controls keeps it. A task whose row can't be read counts as a broken
     * run, and the next one is claimed.
     */
    readonly claim: (owner: Ownership) => Effect.Effect<Option.Option<Claim>, WorkerReplaced | DatabaseUnavailable>
    /** Marks PENDING tasks whose `scheduledFor` has come as queued. */
    readonly queueDue: Effect.Effect<void, DatabaseUnavailable>
    /** Fails unless the lease owns the task. */
    readonly confirm: (lease: Lease) => Effect.Effect<void, LeaseLost | DatabaseUnavailable>
    /** Ends the run with the task's new status. NEEDS_HELP hands control to the user and keeps the desktop. */
    readonly finish: (lease: Lease, outcome: Outcome) => Effect.Effect<void, LeaseLost | DatabaseUnavailable>
    /** Shows on the running task why it waits; null once it does not any more. */
    readonly showProblem: (lease: Lease, problem: string | null) => Effect.Effect<void, LeaseLost | DatabaseUnavailable>
    readonly standing: (taskId: TaskId) => Effect.Effect<Option.Option<Standing>, DatabaseUnavailable>
  }
>()("bytebot/TaskRuns") {
  static readonly layer = Layer.effect(
    TaskRuns,
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const { desktops } = yield* Settings
      const broken = yield* BrokenRuns
      const nameOf = (desktop: string): string => desktops.find(({ url }) => url === desktop)?.name ?? desktop
      const placeOf = (url: string) => ({ url, name: nameOf(url) })
      const taskOf = sql.literal(taskJson("task"))

      const own = Effect.fn("TaskRuns.own")(function* (desktop: string, replica: string) {
        const at = DateTime.toDateUtc(yield* DateTime.now)
        const rows = yield* sql`
          WITH before AS (SELECT "replica" FROM "DesktopOwner" WHERE "desktop" = ${desktop})
          INSERT INTO "DesktopOwner" ("desktop", "generation", "replica", "since") VALUES (${desktop}, 1, ${replica}, ${at})
          ON CONFLICT ("desktop") DO UPDATE SET "generation" = "DesktopOwner"."generation" + 1, "replica" = ${replica}, "since" = ${at}
          RETURNING "desktop", "generation", (SELECT "replica" FROM before) AS "previous"`
        return yield* decodeOwnership(rows[0])
      }, repeatable)

      const { owned, seenOwned } = ownedTask(sql)

      const refusals = yield* makeRefusedClaims

      /** The next due task, if its row and that of its run stay as they were seen; `isTaken`: another desktop was quicker. */
      const tryToClaim = Effect.fnUntraced(function* (
        { desktop, generation }: Ownership,
        at: Date,
        passedOver: ReadonlyArray<TaskId>
      ) {
        const rows = yield* sql`
          WITH owner AS (
            SELECT 1 FROM "DesktopOwner" WHERE "desktop" = ${desktop} AND "generation" = ${generation}
          ), next AS (
            ${nextDueFor(sql, placeOf(desktop), at, passedOver, sql`EXISTS (SELECT 1 FROM owner)`)}
          ), run AS (
            INSERT INTO "TaskRun" ("taskId", "desktop", "epoch", "active", "createdAt", "updatedAt")
            SELECT next."id", ${desktop}, 1, TRUE, ${at}, ${at} FROM next
            ON CONFLICT ("taskId") DO UPDATE SET "desktop" = ${desktop}, "epoch" = "TaskRun"."epoch" + 1, "active" = TRUE, "updatedAt" = ${at},
              "movedFrom" = nullif("TaskRun"."movedFrom", ${desktop})
            WHERE "TaskRun"."desktop" = ${desktop} OR ("TaskRun"."movedFrom" IS NOT NULL AND NOT "TaskRun"."active")
            RETURNING "taskId", "epoch", "interruptedAt", "failures", "movedFrom" IS NOT NULL AS "hasMoved",
              CASE WHEN "filesOn" = "desktop" THEN "filesWritten" ELSE 0 END AS "filesWritten"
          ), task AS (
            UPDATE "Task" task SET "status" = 'RUNNING', "error" = CASE WHEN task."status" = 'RUNNING' THEN task."error" END, "queuedAt" = ${queuedAt(sql, at)}, "executedAt" = ${at}, "updatedAt" = ${at}
            FROM run WHERE task."id" = run."taskId" RETURNING task.*
          ), event AS (${claimEvents(sql, at)})
          SELECT ${taskOf} AS task, run."taskId", run."epoch", run."interruptedAt", run."failures", run."filesWritten", run."hasMoved", next."isBound", next."id" IS NOT NULL AND run."epoch" IS NULL AS "isTaken",
            trace."traceparent", trace."previous" AS "previousTraceparent"
          FROM owner LEFT JOIN next ON TRUE LEFT JOIN (task CROSS JOIN run) ON TRUE LEFT JOIN "TaskTrace" trace ON trace."taskId" = task."id"`
        return rows[0]
      })

      const claim = Effect.fn("TaskRuns.claim")(function* (owner: Ownership) {
        const { desktop } = owner
        for (;;) {
          const claimedAt = yield* DateTime.now
          const at = DateTime.toDateUtc(claimedAt)
          const passedOver = yield* refusals.passedOver
          const row = yield* Effect.catchIf(
            tryToClaim(owner, at, passedOver),
            (error) => SqlError.isSqlError(error) && !isOutage(error),
            (error) => refusals.record(nextDueFor(sql, placeOf(desktop), at, passedOver, sql.literal("TRUE")), error)
          )
          if (row === undefined) return yield* new WorkerReplaced({ desktop })
          if (row === "refused" || row.isTaken === true) continue
          if (row.epoch === null) return Option.none()
          const { epoch, taskId } = yield* decodeClaimed(row)
          const lease: Lease = { taskId, desktop, epoch }
          yield* refusals.forget(taskId)
          const decoded = yield* Effect.result(decodeClaim(row))
          if (Result.isFailure(decoded)) {
            yield* broken.record(lease, Cause.fail(decoded.failure))
            continue
          }
          const { task, ...rest } = decoded.success
          yield* Effect.annotateCurrentSpan({ "task.id": task.id, "task.epoch": epoch })
          const due = DateTime.max(task.createdAt, task.scheduledFor ?? task.createdAt)
          if (epoch === 1) {
            const waited = Duration.toSeconds(DateTime.distance(due, claimedAt))
            yield* measure(metrics.queueWait, Math.max(0, waited))
          }
          return Option.some({ task, lease, claimedAt, ...rest })
        }
      }, repeatable)

      /** The runs of the tasks that `chosen` selects, by id and locked, end here; another desktop may go on with them. */
      const free = (chosen: ReturnType<typeof owned>, problem: string, at: Date) => sql`
        WITH own AS (${chosen}), run AS (
          UPDATE "TaskRun" run SET "active" = FALSE, "movedFrom" = coalesce(run."movedFrom", run."desktop"), "epoch" = run."epoch" + 1,
            "interruptedAt" = ${at}, "updatedAt" = ${at}
          FROM own WHERE run."taskId" = own."id" RETURNING run."taskId"
        ), task AS (
          UPDATE "Task" task SET "error" = ${problem}, "updatedAt" = ${at}
          FROM run WHERE task."id" = run."taskId" AND task."status" = 'RUNNING' RETURNING task.*
        ), event AS (
          INSERT INTO "TaskEvent" ("taskId", "kind", "payload", "createdAt") SELECT task."id", 'task_updated', ${taskOf}, ${at} FROM task
        )
        SELECT 1 FROM run`

      const leave = Effect.fn("TaskRuns.leave")(function* ({ desktop, generation }: Ownership) {
        const at = DateTime.toDateUtc(yield* DateTime.now)
        const bound = sql`
          SELECT t."id" FROM "Task" t JOIN "TaskRun" r ON r."taskId" = t."id"
          WHERE t."status" = 'RUNNING' AND t."control" = 'ASSISTANT' AND r."desktop" = ${desktop} AND (r."active" OR r."movedFrom" IS NULL)
            AND NOT EXISTS (SELECT 1 FROM "TaskDesktop" w WHERE w."taskId" = t."id")
            AND EXISTS (SELECT 1 FROM "DesktopOwner" o WHERE o."desktop" = ${desktop} AND o."generation" = ${generation})
          FOR NO KEY UPDATE OF t, r`
        return (yield* free(bound, `Waiting for another desktop: ${nameOf(desktop)} does not answer`, at)).length > 0
      }, repeatable)

      const leaveRemoved = Effect.gen(function* () {
        if (desktops.length === 0) return
        const now = yield* DateTime.now
        const urls = JSON.stringify(desktops.map(({ url }) => url))
        const heard = DateTime.toDateUtc(DateTime.subtractDuration(now, removedAfter))
        const stranded = sql`
          SELECT t."id" FROM "Task" t JOIN "TaskRun" r ON r."taskId" = t."id"
          WHERE (r."active" OR (r."movedFrom" IS NULL AND t."status" = 'RUNNING'))
            AND t."id" IN (
              SELECT "id" FROM "Task" WHERE "status" = 'RUNNING' UNION ALL SELECT "taskId" FROM "TaskRun" WHERE "active"
            )
            AND r."desktop" NOT IN (SELECT json_array_elements_text(${urls}::json))
            AND NOT EXISTS (SELECT 1 FROM "DesktopOwner" o WHERE o."desktop" = r."desktop" AND o."updatedAt" > ${heard})
          FOR NO KEY UPDATE OF t, r`
        yield* free(
          stranded,
          "Waiting for another desktop: the one of this task is not configured any more",
          DateTime.toDateUtc(now)
        )
      }).pipe(repeatable, Effect.withSpan("TaskRuns.leaveRemoved"))

      const arrived = Effect.fn("TaskRuns.arrived")(function* (lease: Lease) {
        const rows = yield* sql`
          WITH own AS (${owned(lease)})
          UPDATE "TaskRun" run SET "movedFrom" = NULL FROM own WHERE run."taskId" = own."id" RETURNING run."taskId"`
        if (rows.length === 0) return yield* new LeaseLost({ taskId: lease.taskId })
      }, repeatable)

      const recovered = Effect.fn("TaskRuns.recovered")(function* (lease: Lease) {
        const rows = yield* sql`
          WITH own AS (${owned(lease)})
          UPDATE "TaskRun" run SET "failures" = 0, "retryAt" = NULL FROM own WHERE run."taskId" = own."id" RETURNING run."taskId"`
        if (rows.length === 0) return yield* new LeaseLost({ taskId: lease.taskId })
      }, repeatable)

      const filesWritten = Effect.fn("TaskRuns.filesWritten")(function* ({ desktop, taskId }: Lease, count: number) {
        yield* sql`UPDATE "TaskRun" SET "filesOn" = ${desktop}, "filesWritten" = ${count}::int WHERE "taskId" = ${taskId} AND "desktop" = ${desktop}`
      }, repeatable)

      const queueDue = Effect.gen(function* () {
        const at = DateTime.toDateUtc(yield* DateTime.now)
        yield* sql`
          WITH task AS (
            UPDATE "Task" SET "queuedAt" = ${at}, "updatedAt" = ${at}
            WHERE "status" = 'PENDING' AND "queuedAt" IS NULL AND "scheduledFor" <= ${at} RETURNING *
          ), event AS (
            INSERT INTO "TaskEvent" ("taskId", "kind", "payload", "createdAt") SELECT task."id", 'task_updated', ${taskOf}, ${at} FROM task
          )
          SELECT 1 FROM task`
      }).pipe(repeatable, Effect.withSpan("TaskRuns.queueDue"))

      const confirm = Effect.fn("TaskRuns.confirm")(function* (lease: Lease) {
        yield* Effect.annotateCurrentSpan({ "task.id": lease.taskId })
        const rows = yield* seenOwned(lease)
        if (rows.length === 0) return yield* new LeaseLost({ taskId: lease.taskId })
      }, repeatable)

      const showProblem = Effect.fn("TaskRuns.showProblem")(function* (lease: Lease, problem: string | null) {
        yield* Effect.annotateCurrentSpan({ "task.id": lease.taskId })
        const at = DateTime.toDateUtc(yield* DateTime.now)
        const rows = yield* sql`
          WITH own AS (${owned(lease)}), task AS (
            UPDATE "Task" task SET "error" = ${problem === null ? null : storableText(problem)}, "updatedAt" = ${at}
            FROM own WHERE task."id" = own."id" RETURNING task.*
          ), event AS (
            INSERT INTO "TaskEvent" ("taskId", "kind", "payload", "createdAt") SELECT task."id", 'task_updated', ${taskOf}, ${at} FROM task
          )
          SELECT 1 FROM task`
        if (rows.length === 0) return yield* new LeaseLost({ taskId: lease.taskId })
      }, repeatable)

      const finish = Effect.fn("TaskRuns.finish")(function* (lease: Lease, outcome: Outcome) {
        yield* Effect.annotateCurrentSpan({ "task.id": lease.taskId, "task.status": outcome.status })
        const at = DateTime.toDateUtc(yield* DateTime.now)
        const result = outcome.status === "COMPLETED" ? storableJson({ description: outcome.description }) : null
        const error = outcome.status === "COMPLETED" || outcome.error === undefined ? null : storableText(outcome.error)
        const rows = yield* sql`
          WITH own AS (${owned(lease)}), task AS (
            UPDATE "Task" task SET "status" = ${outcome.status}::"TaskStatus", "updatedAt" = ${at},
              "control" = CASE WHEN ${outcome.status === "NEEDS_HELP"}::boolean THEN 'USER'::"Role" ELSE task."control" END,
              "completedAt" = CASE WHEN ${outcome.status === "COMPLETED"}::boolean THEN ${at}::timestamptz ELSE task."completedAt" END,
              "error" = ${error}, "result" = ${result}::jsonb
            FROM own WHERE task."id" = own."id" RETURNING task.*
          ), run AS (
            UPDATE "TaskRun" run SET "active" = ${outcome.status === "NEEDS_HELP"}::boolean, "interruptedAt" = ${at}, "updatedAt" = ${at},
              "failures" = 0, "retryAt" = NULL
            FROM own WHERE run."taskId" = own."id"
          ), event AS (
            INSERT INTO "TaskEvent" ("taskId", "kind", "payload", "createdAt") SELECT task."id", 'task_updated', ${taskOf}, ${at} FROM task
          )
          SELECT 1 FROM task`
        yield* measure(metrics.tasksEnded, rows.length, { status: outcome.status })
        if (rows.length > 0) return
        // Only this run's own end can have been stored under its epoch: in an attempt whose answer was lost.
        const ended = yield* sql`
          SELECT 1 FROM "Task" t JOIN "TaskRun" r ON r."taskId" = t."id"
          WHERE t."id" = ${lease.taskId} AND r."epoch" = ${lease.epoch} AND t."status" = ${outcome.status}::"TaskStatus"`
        if (ended.length === 0) return yield* new LeaseLost({ taskId: lease.taskId })
      }, repeatable)

      const standing = Effect.fn("TaskRuns.standing")(function* (taskId: TaskId) {
        yield* Effect.annotateCurrentSpan({ "task.id": taskId })
        const rows = yield* sql`
          SELECT t."control", t."status", r."epoch", r."desktop" FROM "Task" t LEFT JOIN "TaskRun" r ON r."taskId" = t."id" WHERE t."id" = ${taskId}`
        return rows[0] === undefined ? Option.none() : Option.some(yield* decodeStanding(rows[0]))
      }, repeatable)

      return TaskRuns.of({
        own,
        leave,
        leaveRemoved,
        arrived,
        recovered,
        filesWritten,
        claim,
        confirm,
        queueDue,
        finish,
        showProblem,
        standing
      })
    })
  )
}

const decodeOwnership = Schema.decodeUnknownEffect(
  Schema.Struct({ desktop: Schema.String, generation: Schema.Int, previous: Schema.NullOr(Schema.String) })
)
const decodeClaimed = Schema.decodeUnknownEffect(Schema.Struct({ taskId: TaskId, epoch: Schema.Int }))
const decodeClaim = Schema.decodeUnknownEffect(
  Schema.Struct({
    task: Task,
    interruptedAt: Schema.NullOr(Schema.DateTimeUtcFromDate),
    isBound: Schema.Boolean,
    hasMoved: Schema.Boolean,
    filesWritten: Schema.Int,
    failures: Schema.Int,
    traceparent: Schema.NullOr(Schema.String),
    previousTraceparent: Schema.NullOr(Schema.String)
  })
)
const decodeStanding = Schema.decodeUnknownEffect(
  Schema.Struct({
    control: Role,
    status: TaskStatus,
    epoch: Schema.NullOr(Schema.Int),
    desktop: Schema.NullOr(Schema.String)
  })
)
