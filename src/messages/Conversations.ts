import { randomUUID } from "node:crypto"
import { Context, DateTime, Effect, Layer, Option, Schema } from "effect"
import { SqlClient } from "effect/sql"
import { orUnavailable } from "../database/DatabaseFailure.ts"
import { storableJson, storableText } from "../database/StorableJson.ts"
import { ContentBlock, ToolResultBlock, type ToolUseBlock, text, type UserActionBlock } from "../domain/ContentBlock.ts"
import { MessageId } from "../domain/Message.ts"
import { Role, type TaskId } from "../domain/Task.ts"
import type { DatabaseUnavailable } from "../domain/TaskErrors.ts"
import { type Lease, LeaseLost } from "../tasks/Lease.ts"

/** A message as the agent reads it; `position` orders the messages of a task by their commits. */
export interface Entry {
  readonly id: MessageId
  readonly position: bigint
  readonly role: Role
  readonly content: ReadonlyArray<ContentBlock>
  readonly createdAt: DateTime.Utc
}

/** The newest summary and what came after it. */
export interface Conversation {
  readonly summary: Option.Option<{ readonly id: string; readonly content: string }>
  readonly entries: ReadonlyArray<Entry>
}

/** What the journal knows of one tool_use, by its place in the reply: started, and its result once it ended. */
export interface Execution {
  readonly index: number
  readonly result: ToolResultBlock | null
}

/** Messages as the agent's runs read and write them. The rows are the journal of the run (design: message rows are the journal). */
export class Conversations extends Context.Service<
  Conversations,
  {
    readonly load: (taskId: TaskId) => Effect.Effect<Conversation, DatabaseUnavailable>
    /** Messages after the given position but for those the caller wrote itself, oldest first. */
    readonly since: (
      taskId: TaskId,
      position: bigint,
      own: ReadonlyArray<MessageId>
    ) => Effect.Effect<ReadonlyArray<Entry>, DatabaseUnavailable>
    /** Stores the model's reply. */
    readonly appendReply: (
      lease: Lease,
      content: ReadonlyArray<ContentBlock>
    ) => Effect.Effect<Entry, LeaseLost | DatabaseUnavailable>
    /** Records that a tool_use is about to be carried out; it must not be, when this fails. */
    readonly startTool: (
      lease: Lease,
      reply: MessageId,
      index: number
    ) => Effect.Effect<void, LeaseLost | DatabaseUnavailable>
    /** Records the result of a started tool_use, whoever owns the task by now. */
    readonly finishTool: (
      reply: MessageId,
      index: number,
      result: ToolResultBlock
    ) => Effect.Effect<void, DatabaseUnavailable>
    readonly executions: (reply: MessageId) => Effect.Effect<ReadonlyArray<Execution>, DatabaseUnavailable>
    /** Stores the results of a reply's tools as one USER message. */
    readonly appendResults: (
      lease: Lease,
      reply: MessageId,
      results: ReadonlyArray<ToolResultBlock>
    ) => Effect.Effect<Entry, LeaseLost | DatabaseUnavailable>
    /** The same for a run that was broken off; nothing happens when the task is gone. */
    readonly appendLateResults: (
      taskId: TaskId,
      reply: MessageId,
      results: ReadonlyArray<ToolResultBlock>
    ) => Effect.Effect<void, DatabaseUnavailable>
    /** Stores what the user did on the desktop, as long as the user controls the task. */
    readonly appendUserAction: (taskId: TaskId, action: UserActionBlock) => Effect.Effect<void, DatabaseUnavailable>
    /** Stores a summary of the messages up to the given position and hides them behind it. */
    readonly summarize: (
      lease: Lease,
      summary: { readonly content: string; readonly parentId: string | null; readonly through: bigint }
    ) => Effect.Effect<string, LeaseLost | DatabaseUnavailable>
  }
>()("bytebot/Conversations") {
  static readonly layer = Layer.effect(
    Conversations,
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const columns = sql.literal(`m."id", m."position", m."role", m."content", m."createdAt"`)

      /** The task, locked, if the lease still owns it. */
      const owned = (lease: Lease) => sql`
        SELECT t."id" FROM "Task" t JOIN "TaskRun" r ON r."taskId" = t."id"
        WHERE t."id" = ${lease.taskId} AND r."epoch" = ${lease.epoch} AND t."status" = 'RUNNING' AND t."control" = 'ASSISTANT'
        FOR NO KEY UPDATE OF t, r`

      /** Inserts a message for the task that `task` selects, with its event; locks come first, so positions follow commits. */
      const insert = Effect.fnUntraced(function* (
        task: ReturnType<typeof owned>,
        role: Role,
        content: ReadonlyArray<ContentBlock>,
        reply: MessageId | null
      ) {
        const at = DateTime.toDateUtc(yield* DateTime.now)
        const rows = yield* sql`
          WITH own AS (${task}), m AS (
            INSERT INTO "Message" ("id", "content", "role", "createdAt", "updatedAt", "taskId")
            SELECT ${randomUUID()}, ${storableJson(content)}::jsonb, ${role}::"Role", ${at}, ${at}, own."id" FROM own
            RETURNING "id", "position", "role", "createdAt", "taskId"
          ), event AS (
            INSERT INTO "TaskEvent" ("taskId", "kind", "messageId", "createdAt") SELECT m."taskId", 'new_message', m."id", ${at} FROM m
          ), done AS (
            DELETE FROM "ToolExecution" USING m WHERE "ToolExecution"."messageId" = ${reply}
          )
          SELECT m."id", m."position", m."role", m."createdAt" FROM m`
        if (rows[0] === undefined) return Option.none<Entry>()
        return Option.some<Entry>({ ...(yield* decodeInserted(rows[0])), content })
      })

      const orLost = (lease: Lease) =>
        Effect.flatMap(
          Option.match<Effect.Effect<never, LeaseLost>, Entry, Effect.Effect<Entry>>({
            onNone: () => Effect.fail(new LeaseLost({ taskId: lease.taskId })),
            onSome: Effect.succeed
          })
        )

      const load = Effect.fn("Conversations.load")(function* (taskId: TaskId) {
        yield* Effect.annotateCurrentSpan({ "task.id": taskId })
        const [summaries, rows] = yield* Effect.all([
          sql`SELECT "id", "content" FROM "Summary" WHERE "taskId" = ${taskId} ORDER BY "createdAt" DESC, "id" DESC LIMIT 1`,
          sql`SELECT ${columns} FROM "Message" m WHERE m."taskId" = ${taskId} AND m."summaryId" IS NULL ORDER BY m."createdAt", m."position"`
        ])
        return {
          summary: Option.fromNullishOr((yield* decodeSummaries(summaries))[0]),
          entries: yield* decodeEntries(rows)
        }
      }, orUnavailable)

      const since = Effect.fn("Conversations.since")(function* (
        taskId: TaskId,
        position: bigint,
        own: ReadonlyArray<MessageId>
      ) {
        yield* Effect.annotateCurrentSpan({ "task.id": taskId })
        const rows = yield* sql`
          SELECT ${columns} FROM "Message" m
          WHERE m."taskId" = ${taskId} AND m."position" > ${position} AND NOT ${sql.in("id", own)} ORDER BY m."position"`
        return yield* decodeEntries(rows)
      }, orUnavailable)

      const appendReply = Effect.fn("Conversations.appendReply")(
        (lease: Lease, content: ReadonlyArray<ContentBlock>) =>
          insert(owned(lease), "ASSISTANT", content, null).pipe(orLost(lease)),
        orUnavailable
      )

      const appendResults = Effect.fn("Conversations.appendResults")(
        (lease: Lease, reply: MessageId, results: ReadonlyArray<ToolResultBlock>) =>
          insert(owned(lease), "USER", results, reply).pipe(orLost(lease)),
        orUnavailable
      )

      const appendLateResults = Effect.fn("Conversations.appendLateResults")(
        (taskId: TaskId, reply: MessageId, results: ReadonlyArray<ToolResultBlock>) =>
          insert(sql`SELECT t."id" FROM "Task" t WHERE t."id" = ${taskId} FOR NO KEY UPDATE`, "USER", results, reply),
        Effect.asVoid,
        orUnavailable
      )

      const appendUserAction = Effect.fn("Conversations.appendUserAction")(
        (taskId: TaskId, action: UserActionBlock) =>
          insert(
            sql`SELECT t."id" FROM "Task" t WHERE t."id" = ${taskId} AND t."control" = 'USER' FOR NO KEY UPDATE`,
            "USER",
            [action],
            null
          ),
        Effect.asVoid,
        orUnavailable
      )

      const startTool = Effect.fn("Conversations.startTool")(function* (lease: Lease, reply: MessageId, index: number) {
        const at = DateTime.toDateUtc(yield* DateTime.now)
        const rows = yield* sql`
          WITH own AS (${owned(lease)})
          INSERT INTO "ToolExecution" ("messageId", "index", "taskId", "epoch", "startedAt")
          SELECT ${reply}, ${index}::int, own."id", ${lease.epoch}::int, ${at} FROM own RETURNING "index"`
        if (rows.length === 0) return yield* new LeaseLost({ taskId: lease.taskId })
      }, orUnavailable)

      const finishTool = Effect.fn("Conversations.finishTool")(function* (
        reply: MessageId,
        index: number,
        result: ToolResultBlock
      ) {
        const at = DateTime.toDateUtc(yield* DateTime.now)
        yield* sql`
          UPDATE "ToolExecution" SET "finishedAt" = ${at}, "result" = ${storableJson(result)}::json
          WHERE "messageId" = ${reply} AND "index" = ${index}::int`
      }, orUnavailable)

      const executions = Effect.fn("Conversations.executions")(function* (reply: MessageId) {
        const rows =
          yield* sql`SELECT "index", "result" FROM "ToolExecution" WHERE "messageId" = ${reply} ORDER BY "index"`
        return yield* decodeExecutions(rows)
      }, orUnavailable)

      const summarize = Effect.fn("Conversations.summarize")(function* (
        lease: Lease,
        summary: { readonly content: string; readonly parentId: string | null; readonly through: bigint }
      ) {
        const at = DateTime.toDateUtc(yield* DateTime.now)
        const id = randomUUID()
        const rows = yield* sql`
          WITH own AS (${owned(lease)}), s AS (
            INSERT INTO "Summary" ("id", "content", "createdAt", "updatedAt", "taskId", "parentId")
            SELECT ${id}, ${storableText(summary.content)}, ${at}, ${at}, own."id", ${summary.parentId} FROM own RETURNING "id", "taskId"
          ), m AS (
            UPDATE "Message" m SET "summaryId" = s."id", "updatedAt" = ${at} FROM s
            WHERE m."taskId" = s."taskId" AND m."summaryId" IS NULL AND m."position" <= ${summary.through}
          )
          SELECT "id" FROM s`
        if (rows.length === 0) return yield* new LeaseLost({ taskId: lease.taskId })
        return id
      }, orUnavailable)

      return Conversations.of({
        load,
        since,
        appendReply,
        startTool,
        finishTool,
        executions,
        appendResults,
        appendLateResults,
        appendUserAction,
        summarize
      })
    })
  )
}

/** The tool_use blocks of a reply, in order. */
export const toolUses = (content: ReadonlyArray<ContentBlock>): ReadonlyArray<ToolUseBlock> =>
  content.filter((block) => block.type === "tool_use")

/** The newest reply, if its tools have no results yet: exactly where a run that was broken off has to go on. */
export const openReply = (entries: ReadonlyArray<Entry>): Option.Option<Entry> => {
  const index = entries.findLastIndex((entry) => entry.role === "ASSISTANT")
  const reply = entries[index]
  if (reply === undefined || toolUses(reply.content).length === 0) return Option.none()
  const answered = entries.slice(index + 1).some((entry) => entry.content.some((block) => block.type === "tool_result"))
  return answered ? Option.none() : Option.some(reply)
}

const isBlock = Schema.is(ContentBlock)

/** Blocks that no version of ours wrote are shown to the model as the JSON they are. */
const blocksOf = (content: Schema.Json): ReadonlyArray<ContentBlock> =>
  (Array.isArray(content) ? content : [content]).map((block) => (isBlock(block) ? block : text(JSON.stringify(block))))

const EntryRow = Schema.Struct({
  id: MessageId,
  position: Schema.BigInt,
  role: Role,
  createdAt: Schema.DateTimeUtcFromDate
})
const decodeInserted = Schema.decodeUnknownEffect(EntryRow)
const decodeEntryRows = Schema.decodeUnknownEffect(
  Schema.Array(Schema.Struct({ ...EntryRow.fields, content: Schema.Json }))
)
const decodeEntries = (rows: ReadonlyArray<unknown>) =>
  Effect.map(decodeEntryRows(rows), (decoded) =>
    decoded.map((row): Entry => ({ ...row, content: blocksOf(row.content) }))
  )
const decodeSummaries = Schema.decodeUnknownEffect(
  Schema.Array(Schema.Struct({ id: Schema.String, content: Schema.String }))
)
const decodeExecutions = Schema.decodeUnknownEffect(
  Schema.Array(Schema.Struct({ index: Schema.Int, result: Schema.NullOr(ToolResultBlock) }))
)
