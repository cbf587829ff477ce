import { Context, Effect, Layer, Option, Schema } from "effect"
import { SqlClient } from "effect/sql"
import { repeatable } from "../database/DatabaseRetry.ts"
import type { Conversation } from "../domain/Conversation.ts"
import type { MessageId } from "../domain/Message.ts"
import type { TaskId } from "../domain/Task.ts"
import { type Lease, LeaseLost, ownedTask } from "../tasks/Lease.ts"
import { makeAgentMessages } from "./AgentMessages.ts"
import { decodeEntries, entryColumns, entryTables } from "./EntryRows.ts"
import { makeSummarize } from "./Summarize.ts"
import { makeToolExecutions } from "./ToolExecutions.ts"

/** Messages as the agent's runs read and write them. The rows are the journal of the run. */
export class Conversations extends Context.Service<Conversations>()("bytebot/Conversations", {
  make: Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    const { seenOwned } = ownedTask(sql)
    const [columns, tables] = [sql.literal(entryColumns), sql.literal(entryTables)]

    return {
      load: Effect.fn("Conversations.load")(function* (taskId: TaskId) {
        yield* Effect.annotateCurrentSpan({ "task.id": taskId })
        const [summaries, rows] = yield* Effect.all([
          sql`SELECT "id", "content" FROM "Summary" WHERE "taskId" = ${taskId} ORDER BY "createdAt" DESC, "id" DESC LIMIT 1`,
          sql`SELECT ${columns} FROM ${tables} WHERE m."taskId" = ${taskId} AND m."summaryId" IS NULL ORDER BY m."createdAt", m."position"`
        ])
        return {
          summary: Option.fromNullishOr((yield* decodeSummaries(summaries))[0]),
          entries: yield* decodeEntries(rows)
        } satisfies Conversation
      }, repeatable),

      /** Messages after the position but for the caller's own ones, oldest first, as long as the lease owns the task. */
      since: Effect.fn("Conversations.since")(function* (
        lease: Lease,
        position: bigint,
        own: ReadonlyArray<MessageId>
      ) {
        yield* Effect.annotateCurrentSpan({ "task.id": lease.taskId })
        const rows = yield* sql`
          WITH own AS (${seenOwned(lease)})
          SELECT ${columns} FROM own LEFT JOIN (${tables}) ON m."taskId" = own."id" AND m."position" > ${position}
            AND m."id" <> ALL(string_to_array(${own.join(",")}, ','))
          ORDER BY m."position"`
        if (rows[0] === undefined) return yield* new LeaseLost({ taskId: lease.taskId })
        return rows[0].id === null ? [] : yield* decodeEntries(rows)
      }, repeatable),

      summarize: makeSummarize(sql),
      ...makeAgentMessages(sql),
      ...makeToolExecutions(sql)
    }
  })
}) {
  static readonly layer = Layer.effect(Conversations, Conversations.make)
}

const decodeSummaries = Schema.decodeUnknownEffect(
  Schema.Array(Schema.Struct({ id: Schema.String, content: Schema.String }))
)
