import { DateTime } from "effect"
import type { SqlClient } from "effect/sql"
import { toInteger } from "../domain/Bounds.ts"
import type { AnsweredCall } from "../domain/Conversation.ts"
import type { ModelCall } from "../domain/ModelCall.ts"
import type { TaskId } from "../domain/Task.ts"

/** A call of a model for a task, with the id of its record. */
export interface CallRecord {
  readonly id: string
  readonly taskId: TaskId
  readonly call: AnsweredCall
  readonly purpose: ModelCall["purpose"]
}

/** SQL: records the call, once. `messageId` is an expression for the id of its reply. */
export const recordCall = (
  sql: SqlClient.SqlClient,
  { call, id, purpose, taskId }: CallRecord,
  messageId: string,
  at: Date
) => sql`
  INSERT INTO "ModelCall" ("id", "taskId", "messageId", "purpose", "provider", "model", "inputTokens", "outputTokens",
    "cacheReadTokens", "cacheWriteTokens", "cost", "durationMs", "prefix", "askedAt", "createdAt")
  SELECT ${id}, t."id", ${sql.literal(messageId)}, ${purpose}, ${call.provider}, ${call.model}, ${call.tokens.input}::int,
    ${call.tokens.output}::int, ${call.tokens.cacheRead}::int, ${call.tokens.cacheWrite}::int, ${call.cost}::double precision,
    ${toInteger(call.durationMs)}::int, ${call.prefix}, ${DateTime.toDateUtc(call.askedAt)}, ${at}
  FROM "Task" t WHERE t."id" = ${taskId} FOR KEY SHARE
  ON CONFLICT ("id") DO NOTHING`
