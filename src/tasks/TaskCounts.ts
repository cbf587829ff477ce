import { Duration, Effect, Layer, Schedule } from "effect"
import { SqlClient, type Statement } from "effect/sql"
import type { CallerIdentity } from "../domain/Caller.ts"
import { untraced } from "../observability/TraceParent.ts"

/** How often changes are folded. What is not folded yet is added up by every list: that of five seconds takes well below a millisecond. */
const foldEvery = Duration.seconds(5)

/** The key of the advisory lock by which replicas don't fold at the same time; any number will do that no other lock has. */
const foldLock = 7_482_930_152n

const key = `"userId", "status", "priority", "type", "createdBy"`

/**
 * SQL: how many of the caller's tasks have the conditions, which speak of "status", "priority", "type" and "createdBy" of `task`. It costs the
 * same however many tasks there are, and is exact in the snapshot of the statement that it is part of (migrations, "TaskCount").
 */
export const countOf = (
  sql: SqlClient.SqlClient,
  { seesAll, userId }: CallerIdentity,
  conditions: ReadonlyArray<Statement.Fragment>
) => {
  const [folded, changed] = seesAll
    ? [sql.literal(`"userId" IS NULL`), sql.literal("TRUE")]
    : [sql`"userId" = ${userId}`, sql`"userId" = ${userId}`]
  return sql`
    SELECT coalesce(sum(task."count"), 0)::int FROM (
      SELECT * FROM "TaskCount" WHERE ${folded} UNION ALL SELECT * FROM "TaskCountChange" WHERE ${changed}
    ) task WHERE ${sql.and(conditions)}`
}

/** Adds the changes up into "TaskCount", unless another process is doing so: to every snapshot they are either here or there. */
export const fold = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  yield* sql`
    WITH change AS (
      DELETE FROM "TaskCountChange" WHERE (SELECT pg_try_advisory_xact_lock(${foldLock})) RETURNING *
    ), counted AS (
      SELECT * FROM change WHERE "userId" IS NOT NULL
      UNION ALL SELECT NULL, "status", "priority", "type", "createdBy", "count" FROM change
    )
    INSERT INTO "TaskCount" AS folded SELECT ${sql.literal(key)}, sum("count") FROM counted GROUP BY ${sql.literal(key)} HAVING sum("count") <> 0
    ON CONFLICT (${sql.literal(key)}) DO UPDATE SET "count" = folded."count" + excluded."count"`
})

/** Folds for as long as the service runs. During an outage nothing changes, so nothing is lost by not folding. */
export const folding = Layer.effectDiscard(
  untraced(fold).pipe(
    Effect.catchCause((cause) => Effect.logDebug("Counts of tasks were not folded", cause)),
    Effect.repeat(Schedule.spaced(foldEvery)),
    Effect.forkScoped
  )
)
