import { Effect, Option, Schema } from "effect"
import { SqlClient } from "effect/sql"
import { Settings } from "../config/Settings.ts"
import { repeatable } from "../database/DatabaseRetry.ts"
import { Effort, type TaskId } from "../domain/Task.ts"

/** How much the model shall think about the task's next step: as the task says now, else as the settings do. */
export const makeEffortOf = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  const { effort } = yield* Settings
  return Effect.fn("Tasks.effort")(function* (id: TaskId) {
    const rows = yield* decodeRows(yield* sql`SELECT "effort" FROM "Task" WHERE "id" = ${id}`)
    return rows[0]?.effort ?? Option.getOrUndefined(effort)
  }, repeatable)
})

const decodeRows = Schema.decodeUnknownEffect(Schema.Array(Schema.Struct({ effort: Schema.NullOr(Effort) })))
