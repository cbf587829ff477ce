import { randomUUID } from "node:crypto"
import { DateTime, Effect } from "effect"
import type { SqlClient } from "effect/sql"
import { repeatable } from "../database/DatabaseRetry.ts"
import { storableText } from "../database/StorableJson.ts"
import type { AnsweredCall, NewSummary } from "../domain/Conversation.ts"
import { type Lease, LeaseLost, ownedTask } from "../tasks/Lease.ts"
import { recordCall } from "./CallRecords.ts"

/** Stores a summary of the messages up to a position, hides them behind it, and records its call; gives the summary's id. */
export const makeSummarize = (sql: SqlClient.SqlClient) => {
  const { owned } = ownedTask(sql)
  const summarizeAs = Effect.fnUntraced(function* (
    ids: { readonly summary: string; readonly call: string },
    lease: Lease,
    summary: NewSummary,
    call: AnsweredCall
  ) {
    const at = DateTime.toDateUtc(yield* DateTime.now)
    const record = { id: ids.call, taskId: lease.taskId, call, purpose: "summary" } as const
    const rows = yield* sql`
      WITH own AS (${owned(lease)}), s AS (
        INSERT INTO "Summary" ("id", "content", "createdAt", "updatedAt", "taskId", "parentId")
        SELECT ${ids.summary}, ${storableText(summary.content)}, ${at}, ${at}, own."id", ${summary.parentId} FROM own
        ON CONFLICT ("id") DO NOTHING RETURNING "id", "taskId"
      ), m AS (
        UPDATE "Message" m SET "summaryId" = s."id", "updatedAt" = ${at} FROM s
        WHERE m."taskId" = s."taskId" AND m."summaryId" IS NULL AND m."position" <= ${summary.through}
      ), call AS (${recordCall(sql, record, "NULL", at)})
      SELECT "id" FROM s`
    if (rows.length > 0) return ids.summary
    const found = yield* sql`SELECT 1 FROM "Summary" WHERE "id" = ${ids.summary}`
    return found.length > 0 ? ids.summary : yield* new LeaseLost({ taskId: lease.taskId })
  }, repeatable)

  return Effect.fn("Conversations.summarize")((lease: Lease, summary: NewSummary, call: AnsweredCall) =>
    Effect.suspend(() => summarizeAs({ summary: randomUUID(), call: randomUUID() }, lease, summary, call))
  )
}
