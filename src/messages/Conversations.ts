import { Context, Effect, Layer, Option, Schema } from "effect"
import { SqlClient } from "effect/sql"
import { repeatable } from "../database/DatabaseRetry.ts"
import type { Conversation } from "../domain/Conversation.ts"
import type { MessageId } from "../domain/Message.ts"
import { Effort, type TaskId } from "../domain/Task.ts"
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
      /** The conversation, and how much the task's model shall think; null where the task does not say. */
      load: Effect.fn("Conversations.load")(function* (taskId: TaskId) {
        yield* Effect.annotateCurrentSpan({ "task.id": taskId })
        const [tasks, rows] = yield* Effect.all([
          sql`SELECT t."effort", s."id", s."content" FROM "Task" t LEFT JOIN "Summary" s ON s."taskId" = t."id" WHERE t."id" = ${taskId}
            ORDER BY s."createdAt" DESC, s."id" DESC LIMIT 1`,
          sql`SELECT ${columns} FROM ${tables} WHERE m."taskId" = ${taskId} AND m."summaryId" IS NULL ORDER BY m."createdAt", m."position"`
        ])
        const [task] = yield* decodeTasks(tasks)
        const conversation: Conversation = {
          summary: Option.filter(Option.fromNullishOr(task), isSummary),
          entries: yield* decodeEntries(rows)
        }
        return { conversation, effort: task?.effort ?? null }
      }, repeatable),

      /** Messages after the position but for the caller's own ones, oldest first, and the effort, as long as the lease owns the task. */
      since: Effect.fn("Conversations.since")(function* (
        lease: Lease,
        position: bigint,
        own: ReadonlyArray<MessageId>
      ) {
        yield* Effect.annotateCurrentSpan({ "task.id": lease.taskId })
        const rows = yield* sql`
          WITH own AS (${seenOwned(lease)})
          SELECT own."effort", ${columns} FROM own LEFT JOIN (${tables}) ON m."taskId" = own."id" AND m."position" > ${position}
            AND m."id" <> ALL(string_to_array(${own.join(",")}, ','))
          ORDER BY m."position"`
        const [first] = yield* decodeEfforts(rows)
        if (first === undefined) return yield* new LeaseLost({ taskId: lease.taskId })
        return { effort: first.effort, entries: rows[0]?.id === null ? [] : yield* decodeEntries(rows) }
      }, repeatable),

      summarize: makeSummarize(sql),
      ...makeAgentMessages(sql),
      ...makeToolExecutions(sql)
    }
  })
}) {
  static readonly layer = Layer.effect(Conversations, Conversations.make)
}

const efforts = { effort: Schema.NullOr(Effort) }
const decodeEfforts = Schema.decodeUnknownEffect(Schema.Array(Schema.Struct(efforts)))
const Summarised = Schema.Struct({ ...efforts, id: Schema.String, content: Schema.String })
const isSummary = Schema.is(Summarised)
const decodeTasks = Schema.decodeUnknownEffect(
  Schema.Array(Schema.Union([Summarised, Schema.Struct({ ...efforts, id: Schema.Null })]))
)
