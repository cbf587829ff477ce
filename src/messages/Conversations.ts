import { randomUUID } from "node:crypto"
import { Array as Arr, Context, DateTime, Effect, Layer, Option, Schema } from "effect"
import { SqlClient } from "effect/sql"
import { repeatable } from "../database/DatabaseRetry.ts"
import { storableJson, storableText } from "../database/StorableJson.ts"
import { toInteger } from "../domain/Bounds.ts"
import { ContentBlock, ToolResultBlock, type ToolUseBlock, text, type UserActionBlock } from "../domain/ContentBlock.ts"
import { MessageId } from "../domain/Message.ts"
import type { ModelCall, TokenCounts } from "../domain/ModelCall.ts"
import { Role, type TaskId } from "../domain/Task.ts"
import type { DatabaseUnavailable } from "../domain/TaskErrors.ts"
import { type Lease, LeaseLost, ownedTask } from "../tasks/Lease.ts"

/** Which model wrote a reply, when it was asked, and the digest of all that it had read then; null where that is not known. */
export interface Origin {
  readonly provider: string
  readonly model: string
  readonly prefix: string | null
  readonly askedAt: DateTime.Utc | null
}

/** A message as the agent reads it; `position` orders the messages of a task by their commits. */
export interface Entry {
  readonly id: MessageId
  readonly position: bigint
  readonly role: Role
  readonly content: ReadonlyArray<ContentBlock>
  readonly createdAt: DateTime.Utc
  readonly origin: Origin | null
}

/** An answered call of a model, to be recorded with what came of it; see `ModelCall`. */
export interface AnsweredCall {
  readonly provider: string
  readonly model: string
  readonly tokens: TokenCounts
  readonly cost: number | null
  readonly durationMs: number
  /** Of a reply: the digest of all that the model had read, among it the time at which it was asked. */
  readonly prefix: string | null
  readonly askedAt: DateTime.Utc
}

/** The newest summary and what came after it. */
export interface Conversation {
  readonly summary: Option.Option<{ readonly id: string; readonly content: string }>
  readonly entries: ReadonlyArray<Entry>
}

/** A summary of the messages up to the position `through`, which follows on the summary `parentId`. */
export interface NewSummary {
  readonly content: string
  readonly parentId: string | null
  readonly through: bigint
}

/** A started tool_use of a reply that has ended. */
interface Finished {
  readonly reply: MessageId
  readonly index: number
  readonly result: ToolResultBlock
}

/** Why a message is stored: it answers the tools of a reply, or it is a reply itself, of the given call. */
interface Cause {
  readonly answers?: MessageId
  /** The tool_use that has just ended, if its result is not in the journal yet. */
  readonly last?: Finished
  readonly replyOf?: { readonly taskId: TaskId; readonly call: AnsweredCall }
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
    /** Messages after the given position but for those the caller wrote itself, oldest first, as long as the lease owns the task. */
    readonly since: (
      lease: Lease,
      position: bigint,
      own: ReadonlyArray<MessageId>
    ) => Effect.Effect<ReadonlyArray<Entry>, LeaseLost | DatabaseUnavailable>
    /** Stores the model's reply, and what it took; that is stored even if the reply comes too late. */
    readonly appendReply: (
      lease: Lease,
      content: ReadonlyArray<ContentBlock>,
      call: AnsweredCall
    ) => Effect.Effect<Entry, LeaseLost | DatabaseUnavailable>
    /** Records the call of a reply that said nothing, and is not stored. */
    readonly recordEmptyReply: (taskId: TaskId, call: AnsweredCall) => Effect.Effect<void, DatabaseUnavailable>
    /** Stores a word of the service to the model, as a USER message. */
    readonly appendNote: (lease: Lease, note: string) => Effect.Effect<Entry, LeaseLost | DatabaseUnavailable>
    /** Records that a tool_use is about to be carried out; it must not be, when this fails. */
    readonly startTool: (
      lease: Lease,
      reply: MessageId,
      index: number
    ) => Effect.Effect<void, LeaseLost | DatabaseUnavailable>
    /** Records the result of a started tool_use, also when the lease is lost; who comes first is right. */
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
    /** Both at once, for the last tool_use of a reply, whose result comes last. Where the lease is lost, the result is recorded all the same. */
    readonly finishLastTool: (
      lease: Lease,
      reply: MessageId,
      index: number,
      results: Arr.NonEmptyReadonlyArray<ToolResultBlock>
    ) => Effect.Effect<Entry, LeaseLost | DatabaseUnavailable>
    /** The same for a run that was broken off; nothing happens when the task is gone, goes on in another run, or has them. */
    readonly appendLateResults: (
      taskId: TaskId,
      reply: MessageId,
      results: ReadonlyArray<ToolResultBlock>
    ) => Effect.Effect<void, DatabaseUnavailable>
    /**
     * Stores what the user did on the desktop at an instant (UTC), as long as the user controls the task, and unless the desktop was taken over
     * for another task by then.
     */
    readonly appendUserAction: (
      taskId: TaskId,
      action: UserActionBlock,
      doneAt: DateTime.Utc
    ) => Effect.Effect<void, DatabaseUnavailable>
    /** Stores a summary of the messages up to the given position, hides them behind it, and records what it took. */
    readonly summarize: (
      lease: Lease,
      summary: NewSummary,
      call: AnsweredCall
    ) => Effect.Effect<string, LeaseLost | DatabaseUnavailable>
  }
>()("bytebot/Conversations") {
  static readonly layer = Layer.effect(
    Conversations,
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const columns = sql.literal(
        `m."id", m."position", m."role", m."content", m."createdAt", c."provider", c."model", c."prefix", c."askedAt"`
      )
      const entries = sql.literal(`"Message" m LEFT JOIN "ModelCall" c ON c."messageId" = m."id"`)

      /** Records a call, once; `messageId` is an expression for the reply's id. */
      const recordCall = (
        id: string,
        taskId: TaskId,
        call: AnsweredCall,
        purpose: ModelCall["purpose"],
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

      const recordResult = ({ index, reply, result }: Finished, at: Date) => sql`
        UPDATE "ToolExecution" SET "finishedAt" = ${at}, "result" = ${storableJson(result)}::json
        WHERE "messageId" = ${reply} AND "index" = ${index}::int AND "finishedAt" IS NULL`

      const { owned, seenOwned } = ownedTask(sql)

      /**
       * Inserts a message for the task that `task` selects, with its event, unless an earlier attempt has done so; locks come first,
       * so positions follow commits.
       */
      const insertAs = Effect.fnUntraced(function* (
        ids: { readonly message: string; readonly call: string },
        task: ReturnType<typeof owned>,
        role: Role,
        content: ReadonlyArray<ContentBlock>,
        cause: Cause
      ) {
        const at = DateTime.toDateUtc(yield* DateTime.now)
        const also =
          cause.replyOf === undefined
            ? sql`DELETE FROM "ToolExecution" USING m WHERE "ToolExecution"."messageId" = ${cause.answers ?? null}`
            : recordCall(ids.call, cause.replyOf.taskId, cause.replyOf.call, "reply", `(SELECT m."id" FROM m)`, at)
        const finished =
          cause.last === undefined
            ? sql.literal("")
            : sql`, finished AS (${recordResult(cause.last, at)} AND NOT EXISTS (SELECT 1 FROM m))`
        const inserted = yield* sql`
          WITH own AS (${task}), m AS (
            INSERT INTO "Message" ("id", "content", "role", "createdAt", "updatedAt", "taskId")
            SELECT ${ids.message}, ${storableJson(content)}::jsonb, ${role}::"Role", ${at}, ${at}, own."id" FROM own
            ON CONFLICT ("id") DO NOTHING RETURNING "id", "position", "role", "createdAt", "taskId"
          ), event AS (
            INSERT INTO "TaskEvent" ("taskId", "kind", "messageId", "createdAt") SELECT m."taskId", 'new_message', m."id", ${at} FROM m
          ), also AS (${also})${finished}
          SELECT m."id", m."position", m."role", m."createdAt" FROM m`
        const row =
          inserted[0] ??
          (yield* sql`SELECT "id", "position", "role", "createdAt" FROM "Message" WHERE "id" = ${ids.message}`)[0]
        if (row === undefined) return Option.none<Entry>()
        const origin = cause.replyOf === undefined ? null : originOf(cause.replyOf.call)
        return Option.some<Entry>({ ...(yield* decodeInserted(row)), content, origin })
      }, repeatable)

      const insert = (task: ReturnType<typeof owned>, role: Role, content: ReadonlyArray<ContentBlock>, cause: Cause) =>
        Effect.suspend(() => insertAs({ message: randomUUID(), call: randomUUID() }, task, role, content, cause))

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
          sql`SELECT ${columns} FROM ${entries} WHERE m."taskId" = ${taskId} AND m."summaryId" IS NULL ORDER BY m."createdAt", m."position"`
        ])
        return {
          summary: Option.fromNullishOr((yield* decodeSummaries(summaries))[0]),
          entries: yield* decodeEntries(rows)
        }
      }, repeatable)

      const since = Effect.fn("Conversations.since")(function* (
        lease: Lease,
        position: bigint,
        own: ReadonlyArray<MessageId>
      ) {
        yield* Effect.annotateCurrentSpan({ "task.id": lease.taskId })
        const rows = yield* sql`
          WITH own AS (${seenOwned(lease)})
          SELECT ${columns} FROM own LEFT JOIN (${entries}) ON m."taskId" = own."id" AND m."position" > ${position}
            AND m."id" <> ALL(string_to_array(${own.join(",")}, ','))
          ORDER BY m."position"`
        if (rows[0] === undefined) return yield* new LeaseLost({ taskId: lease.taskId })
        return rows[0].id === null ? [] : yield* decodeEntries(rows)
      }, repeatable)

      const appendReply = Effect.fn("Conversations.appendReply")(
        (lease: Lease, content: ReadonlyArray<ContentBlock>, call: AnsweredCall) =>
          insert(owned(lease), "ASSISTANT", content, { replyOf: { taskId: lease.taskId, call } }).pipe(orLost(lease))
      )

      const recordEmptyReply = Effect.fn("Conversations.recordEmptyReply")((taskId: TaskId, call: AnsweredCall) =>
        Effect.suspend(() => {
          const id = randomUUID()
          return DateTime.now.pipe(
            Effect.flatMap((now) => recordCall(id, taskId, call, "reply", "NULL", DateTime.toDateUtc(now))),
            Effect.asVoid,
            repeatable
          )
        })
      )

      const appendNote = Effect.fn("Conversations.appendNote")((lease: Lease, note: string) =>
        insert(owned(lease), "USER", [text(note)], {}).pipe(orLost(lease))
      )

      const appendResults = Effect.fn("Conversations.appendResults")(
        (lease: Lease, reply: MessageId, results: ReadonlyArray<ToolResultBlock>) =>
          insert(owned(lease), "USER", results, { answers: reply }).pipe(orLost(lease))
      )

      const appendLateResults = Effect.fn("Conversations.appendLateResults")(
        (taskId: TaskId, reply: MessageId, results: ReadonlyArray<ToolResultBlock>) =>
          insert(
            sql`
              SELECT t."id" FROM "Task" t WHERE t."id" = ${taskId} AND NOT (t."status" = 'RUNNING' AND t."control" = 'ASSISTANT')
                AND NOT EXISTS (
                  SELECT 1 FROM "Message" r JOIN "Message" a ON a."taskId" = r."taskId" AND a."position" > r."position"
                  WHERE r."id" = ${reply} AND a."content" @> '[{"type": "tool_result"}]'
                )
              FOR NO KEY UPDATE`,
            "USER",
            results,
            { answers: reply }
          ),
        Effect.asVoid
      )

      const appendUserAction = Effect.fn("Conversations.appendUserAction")(
        (taskId: TaskId, action: UserActionBlock, doneAt: DateTime.Utc) =>
          insert(
            sql`
              SELECT t."id" FROM "Task" t WHERE t."id" = ${taskId} AND t."control" = 'USER' AND NOT EXISTS (
                SELECT 1 FROM "TaskRun" r JOIN "DesktopHold" h ON h."desktop" = r."desktop"
                WHERE r."taskId" = t."id" AND h."taskId" <> t."id" AND h."since" > coalesce(r."interruptedAt", r."createdAt") AND h."since" <= ${DateTime.toDateUtc(doneAt)}
              ) AND NOT EXISTS (
                SELECT 1 FROM "TaskRun" r JOIN "TaskRun" o ON o."active" AND o."desktop" = r."desktop" JOIN "Task" u ON u."id" = o."taskId"
                WHERE r."taskId" = t."id" AND u."id" <> t."id" AND u."control" = 'USER' AND o."interruptedAt" > coalesce(r."interruptedAt", r."createdAt")
                  AND o."interruptedAt" <= ${DateTime.toDateUtc(doneAt)}
              ) FOR NO KEY UPDATE`,
            "USER",
            [action],
            {}
          ),
        Effect.asVoid
      )

      const startTool = Effect.fn("Conversations.startTool")(function* (lease: Lease, reply: MessageId, index: number) {
        const at = DateTime.toDateUtc(yield* DateTime.now)
        const rows = yield* sql`
          WITH own AS (${owned(lease)})
          INSERT INTO "ToolExecution" ("messageId", "index", "taskId", "epoch", "startedAt")
          SELECT ${reply}, ${index}::int, own."id", ${lease.epoch}::int, ${at} FROM own
          ON CONFLICT ("messageId", "index") DO UPDATE SET "startedAt" = excluded."startedAt", "epoch" = excluded."epoch"
            WHERE "ToolExecution"."epoch" <= excluded."epoch" AND "ToolExecution"."finishedAt" IS NULL RETURNING "index"`
        if (rows.length === 0) return yield* new LeaseLost({ taskId: lease.taskId })
      }, repeatable)

      const finishTool = Effect.fn("Conversations.finishTool")(function* (
        reply: MessageId,
        index: number,
        result: ToolResultBlock
      ) {
        yield* recordResult({ reply, index, result }, DateTime.toDateUtc(yield* DateTime.now))
      }, repeatable)

      const finishLastTool = Effect.fn("Conversations.finishLastTool")(
        (lease: Lease, reply: MessageId, index: number, results: Arr.NonEmptyReadonlyArray<ToolResultBlock>) =>
          insert(owned(lease), "USER", results, {
            answers: reply,
            last: { reply, index, result: Arr.lastNonEmpty(results) }
          }).pipe(orLost(lease))
      )

      const executions = Effect.fn("Conversations.executions")(function* (reply: MessageId) {
        const rows =
          yield* sql`SELECT "index", "result" FROM "ToolExecution" WHERE "messageId" = ${reply} ORDER BY "index"`
        return yield* decodeExecutions(rows)
      }, repeatable)

      const summarizeAs = Effect.fnUntraced(function* (
        ids: { readonly summary: string; readonly call: string },
        lease: Lease,
        summary: NewSummary,
        call: AnsweredCall
      ) {
        const at = DateTime.toDateUtc(yield* DateTime.now)
        const rows = yield* sql`
          WITH own AS (${owned(lease)}), s AS (
            INSERT INTO "Summary" ("id", "content", "createdAt", "updatedAt", "taskId", "parentId")
            SELECT ${ids.summary}, ${storableText(summary.content)}, ${at}, ${at}, own."id", ${summary.parentId} FROM own
            ON CONFLICT ("id") DO NOTHING RETURNING "id", "taskId"
          ), m AS (
            UPDATE "Message" m SET "summaryId" = s."id", "updatedAt" = ${at} FROM s
            WHERE m."taskId" = s."taskId" AND m."summaryId" IS NULL AND m."position" <= ${summary.through}
          ), call AS (${recordCall(ids.call, lease.taskId, call, "summary", "NULL", at)})
          SELECT "id" FROM s`
        if (rows.length > 0) return ids.summary
        const found = yield* sql`SELECT 1 FROM "Summary" WHERE "id" = ${ids.summary}`
        return found.length > 0 ? ids.summary : yield* new LeaseLost({ taskId: lease.taskId })
      }, repeatable)

      const summarize = Effect.fn("Conversations.summarize")((lease: Lease, summary: NewSummary, call: AnsweredCall) =>
        Effect.suspend(() => summarizeAs({ summary: randomUUID(), call: randomUUID() }, lease, summary, call))
      )

      return Conversations.of({
        load,
        since,
        appendReply,
        recordEmptyReply,
        appendNote,
        startTool,
        finishTool,
        finishLastTool,
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

const originOf = ({ askedAt, model, prefix, provider }: AnsweredCall): Origin => ({ provider, model, prefix, askedAt })

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
  Schema.Array(
    Schema.Struct({
      ...EntryRow.fields,
      content: Schema.Json,
      provider: Schema.NullOr(Schema.String),
      model: Schema.NullOr(Schema.String),
      prefix: Schema.NullOr(Schema.String),
      askedAt: Schema.NullOr(Schema.DateTimeUtcFromDate)
    })
  )
)
const decodeEntries = (rows: ReadonlyArray<unknown>) =>
  Effect.map(decodeEntryRows(rows), (decoded) =>
    decoded.map(
      ({ askedAt, content, model, prefix, provider, ...row }): Entry => ({
        ...row,
        content: blocksOf(content),
        origin: provider === null || model === null ? null : { provider, model, prefix, askedAt }
      })
    )
  )
const decodeSummaries = Schema.decodeUnknownEffect(
  Schema.Array(Schema.Struct({ id: Schema.String, content: Schema.String }))
)
const decodeExecutions = Schema.decodeUnknownEffect(
  Schema.Array(Schema.Struct({ index: Schema.Int, result: Schema.NullOr(ToolResultBlock) }))
)
