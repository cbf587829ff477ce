import { DateTime, Effect, Schema } from "effect"
import type { SqlClient } from "effect/sql"
import { repeatable } from "../database/DatabaseRetry.ts"
import { storableJson } from "../database/StorableJson.ts"
import { ToolResultBlock } from "../domain/ContentBlock.ts"
import type { MessageId } from "../domain/Message.ts"
import { type Lease, LeaseLost, ownedTask } from "../tasks/Lease.ts"

/** A started tool_use of a reply that has ended. */
export interface FinishedTool {
  readonly reply: MessageId
  readonly index: number
  readonly result: ToolResultBlock
}

/** SQL: records the result of a started tool_use; the first one stays. */
export const recordResult = (sql: SqlClient.SqlClient, { index, reply, result }: FinishedTool, at: Date) => sql`
  UPDATE "ToolExecution" SET "finishedAt" = ${at}, "result" = ${storableJson(result)}::json
  WHERE "messageId" = ${reply} AND "index" = ${index}::int AND "finishedAt" IS NULL`

/** The journal of a reply's tools: which were started, and what came of them. */
export const makeToolExecutions = (sql: SqlClient.SqlClient) => {
  const { owned } = ownedTask(sql)
  return {
    /** Records that a tool_use is about to be carried out; it must not be, when this fails. */
    startTool: Effect.fn("Conversations.startTool")(function* (lease: Lease, reply: MessageId, index: number) {
      const at = DateTime.toDateUtc(yield* DateTime.now)
      const rows = yield* sql`
        WITH own AS (${owned(lease)})
        INSERT INTO "ToolExecution" ("messageId", "index", "taskId", "epoch", "startedAt")
        SELECT ${reply}, ${index}::int, own."id", ${lease.epoch}::int, ${at} FROM own
        ON CONFLICT ("messageId", "index") DO UPDATE SET "startedAt" = excluded."startedAt", "epoch" = excluded."epoch"
          WHERE "ToolExecution"."epoch" <= excluded."epoch" AND "ToolExecution"."finishedAt" IS NULL RETURNING "index"`
      if (rows.length === 0) return yield* new LeaseLost({ taskId: lease.taskId })
    }, repeatable),

    /** Records the result of a started tool_use, also when the lease is lost; the first result stays. */
    finishTool: Effect.fn("Conversations.finishTool")(function* (
      reply: MessageId,
      index: number,
      result: ToolResultBlock
    ) {
      yield* recordResult(sql, { reply, index, result }, DateTime.toDateUtc(yield* DateTime.now))
    }, repeatable),

    executions: Effect.fn("Conversations.executions")(function* (reply: MessageId) {
      const rows =
        yield* sql`SELECT "index", "result" FROM "ToolExecution" WHERE "messageId" = ${reply} ORDER BY "index"`
      return yield* decodeExecutions(rows)
    }, repeatable)
  }
}

const decodeExecutions = Schema.decodeUnknownEffect(
  Schema.Array(Schema.Struct({ index: Schema.Int, result: Schema.NullOr(ToolResultBlock) }))
)
