import { Context, DateTime, Effect, Layer, Option, Schema } from "effect"
import { SqlClient, type SqlError } from "effect/sql"
import { repeatable } from "../database/DatabaseRetry.ts"
import { storableJson, storableText } from "../database/StorableJson.ts"
import { Role, type TaskId, TaskStatus } from "../domain/Task.ts"
import { measure, metrics } from "../observability/Metrics.ts"
import { makeClaims } from "./Claims.ts"
import { makeDepartures } from "./Departures.ts"
import { type Lease, LeaseLost, ownedTask } from "./Lease.ts"
import { taskUpdated } from "./TaskRow.ts"

/** How a run ends its task; the description of a completed one goes to `result`, what went wrong to `error`. */
export type Outcome =
  | { readonly status: "COMPLETED"; readonly description: string }
  | { readonly status: "FAILED"; readonly error: string }
  | { readonly status: "NEEDS_HELP"; readonly error?: string }

/** Tasks as the agent's workers see them: which is next, who owns it, how it ended. */
export class TaskRuns extends Context.Service<TaskRuns>()("bytebot/TaskRuns", {
  make: Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    return { ...(yield* makeClaims), ...(yield* makeDepartures), ...leasesOf(sql), ...changesOf(sql) }
  })
}) {
  static readonly layer = Layer.effect(TaskRuns, TaskRuns.make)
}

/** Fails where a statement found no row of the lease's task. */
const orLost = <R>({ taskId }: Lease, rows: Effect.Effect<ReadonlyArray<object>, SqlError.SqlError, R>) =>
  Effect.flatMap(rows, ({ length }) => (length === 0 ? Effect.fail(new LeaseLost({ taskId })) : Effect.void))

/** What a run finds and notes of its lease. */
const leasesOf = (sql: SqlClient.SqlClient) => {
  const { owned, seenOwned } = ownedTask(sql)
  return {
    /** Fails unless the lease owns the task. */
    confirm: Effect.fn("TaskRuns.confirm")(function* (lease: Lease) {
      yield* Effect.annotateCurrentSpan({ "task.id": lease.taskId })
      yield* orLost(lease, seenOwned(lease))
    }, repeatable),

    /** Notes that the model knows that the task has moved to this desktop. */
    arrived: Effect.fn("TaskRuns.arrived")(
      (lease: Lease) =>
        orLost(
          lease,
          sql`WITH own AS (${owned(lease)})
            UPDATE "TaskRun" run SET "movedFrom" = NULL FROM own WHERE run."taskId" = own."id" RETURNING run."taskId"`
        ),
      repeatable
    ),

    /** Forgets the runs that broke off before this one, which works. */
    recovered: Effect.fn("TaskRuns.recovered")(
      (lease: Lease) =>
        orLost(
          lease,
          sql`WITH own AS (${owned(lease)})
            UPDATE "TaskRun" run SET "failures" = 0, "retryAt" = NULL FROM own WHERE run."taskId" = own."id" RETURNING run."taskId"`
        ),
      repeatable
    ),

    /** Notes how many of the task's files, oldest first, the lease's desktop has, also when the lease is lost. */
    filesWritten: Effect.fn("TaskRuns.filesWritten")(
      ({ desktop, taskId }: Lease, count: number) => sql`
        UPDATE "TaskRun" SET "filesOn" = ${desktop}, "filesWritten" = ${count}::int WHERE "taskId" = ${taskId} AND "desktop" = ${desktop}`,
      repeatable
    ),

    /** A task's row as the worker of a desktop sees it after a control command. */
    controlState: Effect.fn("TaskRuns.controlState")(function* (taskId: TaskId) {
      yield* Effect.annotateCurrentSpan({ "task.id": taskId })
      const rows = yield* sql`
        SELECT t."control", t."status", r."epoch", r."desktop" FROM "Task" t LEFT JOIN "TaskRun" r ON r."taskId" = t."id" WHERE t."id" = ${taskId}`
      return rows[0] === undefined ? Option.none() : Option.some(yield* decodeControlState(rows[0]))
    }, repeatable)
  }
}

/** What runs, and the time, change of tasks. */
const changesOf = (sql: SqlClient.SqlClient) => {
  const { owned } = ownedTask(sql)
  return {
    /** Marks PENDING tasks whose `scheduledFor` has come as queued. */
    queueDue: Effect.gen(function* () {
      const at = DateTime.toDateUtc(yield* DateTime.now)
      yield* sql`
        WITH task AS (
          UPDATE "Task" SET "queuedAt" = ${at}, "updatedAt" = ${at}
          WHERE "status" = 'PENDING' AND "queuedAt" IS NULL AND "scheduledFor" <= ${at} RETURNING *
        ), event AS (${taskUpdated(sql, at)})
        SELECT 1 FROM task`
    }).pipe(repeatable, Effect.withSpan("TaskRuns.queueDue")),

    /** Shows on the running task why it waits; null once it does not any more. */
    showProblem: Effect.fn("TaskRuns.showProblem")(function* (lease: Lease, problem: string | null) {
      yield* Effect.annotateCurrentSpan({ "task.id": lease.taskId })
      const at = DateTime.toDateUtc(yield* DateTime.now)
      const rows = sql`
        WITH own AS (${owned(lease)}), task AS (
          UPDATE "Task" task SET "error" = ${problem === null ? null : storableText(problem)}, "updatedAt" = ${at}
          FROM own WHERE task."id" = own."id" RETURNING task.*
        ), event AS (${taskUpdated(sql, at)})
        SELECT 1 FROM task`
      yield* orLost(lease, rows)
    }, repeatable),

    /** Ends the run with the task's new status. NEEDS_HELP hands control to the user and keeps the desktop. */
    finish: Effect.fn("TaskRuns.finish")(function* (lease: Lease, outcome: Outcome) {
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
        ), event AS (${taskUpdated(sql, at)})
        SELECT 1 FROM task`
      yield* measure(metrics.tasksEnded, rows.length, { status: outcome.status })
      if (rows.length > 0) return
      // Only this run's own end can have been stored under its epoch: in an attempt whose answer was lost.
      const ended = sql`
        SELECT 1 FROM "Task" t JOIN "TaskRun" r ON r."taskId" = t."id"
        WHERE t."id" = ${lease.taskId} AND r."epoch" = ${lease.epoch} AND t."status" = ${outcome.status}::"TaskStatus"`
      yield* orLost(lease, ended)
    }, repeatable)
  }
}

const decodeControlState = Schema.decodeUnknownEffect(
  Schema.Struct({
    control: Role,
    status: TaskStatus,
    epoch: Schema.NullOr(Schema.Int),
    desktop: Schema.NullOr(Schema.String)
  })
)
