import { Context, Effect, Layer } from "effect"
import { SqlClient } from "effect/sql"
import { repeatable } from "../database/DatabaseRetry.ts"
import { Caller, type CallerIdentity } from "../domain/Caller.ts"
import type { TaskId } from "../domain/Task.ts"
import type { DatabaseUnavailable } from "../domain/TaskErrors.ts"

/** SQL: whether the row `alias` of "Task" is there for the caller. Tasks without an owner are visible to administrators only. */
export const visibleTo = (sql: SqlClient.SqlClient, { seesAll, userId }: CallerIdentity, alias: string) =>
  seesAll ? sql.literal("TRUE") : sql`${sql.literal(alias)}."userId" = ${userId}`

/** Which tasks are there for whom. */
export class Visibility extends Context.Service<
  Visibility,
  {
    /** Whether there is such a task for the caller. */
    readonly ofTask: (id: TaskId) => Effect.Effect<boolean, DatabaseUnavailable, Caller>
  }
>()("bytebot/Visibility") {
  static readonly layer = Layer.effect(
    Visibility,
    Effect.map(SqlClient.SqlClient, (sql) =>
      Visibility.of({
        ofTask: Effect.fn("Visibility.ofTask")(function* (id: TaskId) {
          yield* Effect.annotateCurrentSpan({ "task.id": id })
          const rows = yield* sql`SELECT 1 FROM "Task" t WHERE t."id" = ${id} AND ${visibleTo(sql, yield* Caller, "t")}`
          return rows.length > 0
        }, repeatable)
      })
    )
  )
}
