import { Cause, Context, DateTime, Duration, Effect, Layer, Option, Schema } from "effect"
import { SqlClient, SqlError } from "effect/sql"
import { Analytics } from "../analytics/Analytics.ts"
import { repeatable } from "../database/DatabaseRetry.ts"
import { codeOf } from "../database/SqlFailure.ts"
import { storableText } from "../database/StorableJson.ts"
import { TaskStatus } from "../domain/Task.ts"
import { measure, metrics } from "../observability/Metrics.ts"
import { type Lease, ownedTask } from "./Lease.ts"
import { taskUpdated } from "./TaskRow.ts"

/** How long a task waits after its first and second broken run; after the third in a row it fails. */
const backoff = [Duration.seconds(1), Duration.seconds(5)]

/**
 * Runs that ended by a fault of ours or of the data: a defect, a value that the database refuses, a row that fits no schema. A kill of the
 * process or an outage of the database is not one of them.
 */
export class BrokenRuns extends Context.Service<BrokenRuns>()("bytebot/BrokenRuns", {
  make: Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    const analytics = yield* Analytics
    const { owned } = ownedTask(sql)

    /** The epoch is raised, so that an attempt whose answer was lost is not counted twice: its outcome is read instead. */
    const count = Effect.fnUntraced(function* (lease: Lease, fault: string) {
      const now = yield* DateTime.now
      const at = DateTime.toDateUtc(now)
      const [first, second] = backoff.map((pause) => DateTime.toDateUtc(DateTime.addDuration(now, pause)))
      const again = storableText(`The work broke off and is tried again: ${fault}`)
      const given = storableText(`The work broke off three times in a row: ${fault}`)
      yield* sql`
        WITH own AS (${owned(lease)}), run AS (
          UPDATE "TaskRun" run SET "failures" = run."failures" + 1, "epoch" = run."epoch" + 1, "active" = FALSE, "updatedAt" = ${at},
            "retryAt" = CASE run."failures" WHEN 0 THEN ${first}::timestamptz WHEN 1 THEN ${second}::timestamptz END,
            "interruptedAt" = CASE WHEN run."failures" < 2 THEN run."interruptedAt" ELSE ${at}::timestamptz END
          FROM own WHERE run."taskId" = own."id" RETURNING run."taskId", run."failures"
        ), task AS (
          UPDATE "Task" task SET "updatedAt" = ${at},
            "error" = CASE WHEN run."failures" < 3 THEN ${again}::text ELSE ${given}::text END,
            "status" = CASE WHEN run."failures" < 3 THEN task."status" ELSE 'FAILED'::"TaskStatus" END
          FROM run WHERE task."id" = run."taskId" RETURNING task.*
        ), event AS (${taskUpdated(sql, at)})
        SELECT 1 FROM task`
      const rows = yield* sql`
        SELECT run."failures", run."retryAt", task."status" FROM "TaskRun" run JOIN "Task" task ON task."id" = run."taskId"
        WHERE run."taskId" = ${lease.taskId} AND run."epoch" = ${lease.epoch + 1} AND run."failures" > 0`
      return yield* decodeCounted(rows)
    }, repeatable)

    /**
     * Counts the fault. The run's lease is lost, and its desktop free for other tasks. The task is claimed again after a pause; the third
     * broken run in a row ends it as FAILED. Nothing happens when the task has moved on. Answers when the task is to be claimed again (UTC),
     * if it is.
     */
    const record = Effect.fn("BrokenRuns.record")(function* (lease: Lease, cause: Cause.Cause<unknown>) {
      yield* Effect.annotateCurrentSpan({ "task.id": lease.taskId })
      const fault = faultOf(Cause.squash(cause))
      const [counted] = yield* count(lease, fault)
      if (counted === undefined) {
        yield* Effect.logWarning("A run broke off after its task had moved on", cause)
        return Option.none()
      }
      const { failures, retryAt, status } = counted
      if (status === "FAILED") {
        yield* Effect.logError("The run of a task broke off for the third time in a row, the task has failed", cause)
        yield* measure(metrics.tasksEnded, 1, { status: "FAILED" })
        yield* analytics.report(lease.taskId)
      } else {
        yield* Effect.logError("The run of a task broke off and is tried again", cause).pipe(
          Effect.annotateLogs({ failures })
        )
      }
      return Option.fromNullishOr(retryAt)
    })

    return {
      record: (lease: Lease, cause: Cause.Cause<unknown>) =>
        Effect.annotateLogs(record(lease, cause), { taskId: lease.taskId })
    }
  })
}) {
  static readonly layer = Layer.effect(BrokenRuns, BrokenRuns.make)
}

const decodeCounted = Schema.decodeUnknownEffect(
  Schema.Array(
    Schema.Struct({
      failures: Schema.Int,
      retryAt: Schema.NullOr(Schema.DateTimeUtcFromDate),
      status: TaskStatus
    })
  )
)

/** A fault in words for people. What the data held stays out of it; the log has the whole. */
const faultOf = (error: unknown): string => {
  if (SqlError.isSqlError(error)) return `the database refused a value (SQLSTATE ${codeOf(error) ?? "unknown"})`
  if (Schema.isSchemaError(error)) return "something that is stored for it can't be read"
  return `an internal error${error instanceof Error ? ` (${error.name})` : ""}. The service's log says more`
}
