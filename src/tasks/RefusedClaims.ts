import { Cause, Clock, DateTime, Effect, Schema } from "effect"
import { SqlClient, type SqlError, type Statement } from "effect/sql"
import { Analytics } from "../analytics/Analytics.ts"
import { orUnavailable } from "../database/DatabaseRetry.ts"
import { codeOf } from "../database/SqlFailure.ts"
import { TaskId } from "../domain/Task.ts"
import { measure, metrics } from "../observability/Metrics.ts"
import { taskUpdated } from "./TaskRow.ts"

/** Milliseconds for which a task is passed over after its first and second refused claim; after the third in a row it fails. */
const pauses = [1_000, 5_000]

/** A task whose failure can't be stored either is passed over for so long. */
const longestPause = 30_000

/**
 * Tasks whose claim PostgreSQL refuses, other than by an outage. A refused claim leaves no row behind that could count it, so that this process
 * counts: its workers pass them over meanwhile, and other tasks have the desktops. Another replica, or this one after a restart, counts anew:
 * it tries three times at most, seconds apart.
 */
export const makeRefusedClaims = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  const analytics = yield* Analytics
  const refused = new Map<TaskId, { readonly times: number; readonly until: number }>()

  /** Ends the task, and the run that may be active: it would keep the desktop. */
  const fail = Effect.fnUntraced(function* (id: TaskId, error: string) {
    const at = DateTime.toDateUtc(yield* DateTime.now)
    const rows = yield* sql`
      WITH task AS (
        UPDATE "Task" task SET "status" = 'FAILED', "error" = ${error}, "updatedAt" = ${at}
        WHERE task."id" = ${id} AND task."status" IN ('RUNNING', 'PENDING') AND task."control" = 'ASSISTANT' RETURNING task.*
      ), run AS (
        UPDATE "TaskRun" run SET "active" = FALSE, "epoch" = run."epoch" + 1, "interruptedAt" = ${at}, "updatedAt" = ${at}
        FROM task WHERE run."taskId" = task."id"
      ), event AS (${taskUpdated(sql, at)})
      SELECT 1 FROM task`
    refused.delete(id)
    if (rows.length === 0) return
    yield* measure(metrics.tasksEnded, 1, { status: "FAILED" })
    yield* analytics.report(id)
  }, orUnavailable)

  return {
    /** Tasks that are not to be claimed yet. */
    passedOver: Effect.map(Clock.currentTimeMillis, (now) =>
      [...refused].flatMap(([id, { until }]) => (until > now ? [id] : []))
    ),
    /** Counts a refused claim of the task that `next` selects; the third one in a row ends it as FAILED. */
    record: Effect.fnUntraced(function* (next: Statement.Statement<object>, error: SqlError.SqlError) {
      const [row] = yield* next
      if (row === undefined) return yield* error
      const { id } = yield* decodeNext(row)
      const times = (refused.get(id)?.times ?? 0) + 1
      refused.set(id, { times, until: (yield* Clock.currentTimeMillis) + (pauses[times - 1] ?? longestPause) })
      yield* Effect.logError("The claim of a task was refused", Cause.fail(error)).pipe(
        Effect.annotateLogs({ taskId: id, times })
      )
      if (times <= pauses.length) return
      const reason = `the database refused a value (SQLSTATE ${codeOf(error) ?? "unknown"})`
      yield* fail(id, `The work broke off three times in a row: ${reason}`)
    }),
    /** The task was claimed. */
    forget: (id: TaskId) => Effect.sync(() => refused.delete(id))
  }
})

const decodeNext = Schema.decodeUnknownEffect(Schema.Struct({ id: TaskId }))
