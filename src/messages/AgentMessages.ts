import { randomUUID } from "node:crypto"
import { Array as Arr, DateTime, Effect, Option } from "effect"
import type { SqlClient, Statement } from "effect/sql"
import { repeatable } from "../database/DatabaseRetry.ts"
import { storableJson } from "../database/StorableJson.ts"
import { type ContentBlock, type ToolResultBlock, text, type UserActionBlock } from "../domain/ContentBlock.ts"
import type { AnsweredCall, Entry, Origin } from "../domain/Conversation.ts"
import type { MessageId } from "../domain/Message.ts"
import type { Role, TaskId } from "../domain/Task.ts"
import { type Lease, LeaseLost, ownedTask } from "../tasks/Lease.ts"
import { recordCall } from "./CallRecords.ts"
import { decodeInserted } from "./EntryRows.ts"
import { type FinishedTool, recordResult } from "./ToolExecutions.ts"

/** A message to store for the task that the statement `task` selects and locks. */
interface NewMessage {
  readonly task: Statement.Fragment
  readonly role: Role
  readonly content: ReadonlyArray<ContentBlock>
  /** The reply whose tools it answers. */
  readonly answers?: MessageId
  /** The tool_use that has just ended, if its result is not in the journal yet. */
  readonly last?: FinishedTool
  /** Of a reply: the call that it is the answer to. */
  readonly replyOf?: { readonly taskId: TaskId; readonly call: AnsweredCall }
}

/** Stores a message with its event, once for each pair of ids; None where `task` selects nothing. */
const makeInsert = (sql: SqlClient.SqlClient) => {
  const insertAs = Effect.fnUntraced(function* (
    ids: { readonly message: string; readonly call: string },
    { answers, content, last, replyOf, role, task }: NewMessage
  ) {
    const at = DateTime.toDateUtc(yield* DateTime.now)
    const also =
      replyOf === undefined
        ? sql`DELETE FROM "ToolExecution" USING m WHERE "ToolExecution"."messageId" = ${answers ?? null}`
        : recordCall(sql, { id: ids.call, ...replyOf, purpose: "reply" }, `(SELECT m."id" FROM m)`, at)
    const finished =
      last === undefined
        ? sql.literal("")
        : sql`, finished AS (${recordResult(sql, last, at)} AND NOT EXISTS (SELECT 1 FROM m))`
    // The task's lock comes first, so that positions follow the order of the commits.
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
    const origin = replyOf === undefined ? null : originOf(replyOf.call)
    return Option.some<Entry>({ ...(yield* decodeInserted(row)), content, origin })
  }, repeatable)
  return (message: NewMessage) => Effect.suspend(() => insertAs({ message: randomUUID(), call: randomUUID() }, message))
}

/** Writes of messages by the agent's runs, and by the capture of the user's actions. */
export const makeAgentMessages = (sql: SqlClient.SqlClient) => {
  const { owned } = ownedTask(sql)
  const insert = makeInsert(sql)
  const insertOwned = Effect.fnUntraced(function* (lease: Lease, message: Omit<NewMessage, "task">) {
    const entry = yield* insert({ task: owned(lease), ...message })
    return Option.isNone(entry) ? yield* new LeaseLost({ taskId: lease.taskId }) : entry.value
  })
  const unansweredTask = (taskId: TaskId, reply: MessageId) => sql`
    SELECT t."id" FROM "Task" t WHERE t."id" = ${taskId} AND NOT (t."status" = 'RUNNING' AND t."control" = 'ASSISTANT')
      AND NOT EXISTS (
        SELECT 1 FROM "Message" r JOIN "Message" a ON a."taskId" = r."taskId" AND a."position" > r."position"
        WHERE r."id" = ${reply} AND a."content" @> '[{"type": "tool_result"}]'
      )
    FOR NO KEY UPDATE`
  const controlledTask = (taskId: TaskId, at: Date) => sql`
    SELECT t."id" FROM "Task" t WHERE t."id" = ${taskId} AND t."control" = 'USER' AND NOT EXISTS (
      SELECT 1 FROM "TaskRun" r JOIN "DesktopHold" h ON h."desktop" = r."desktop"
      WHERE r."taskId" = t."id" AND h."taskId" <> t."id" AND h."since" > coalesce(r."interruptedAt", r."createdAt") AND h."since" <= ${at}
    ) AND NOT EXISTS (
      SELECT 1 FROM "TaskRun" r JOIN "TaskRun" o ON o."active" AND o."desktop" = r."desktop" JOIN "Task" u ON u."id" = o."taskId"
      WHERE r."taskId" = t."id" AND u."id" <> t."id" AND u."control" = 'USER' AND o."interruptedAt" > coalesce(r."interruptedAt", r."createdAt")
        AND o."interruptedAt" <= ${at}
    ) FOR NO KEY UPDATE`

  return {
    /** Stores the model's reply and records its call; a reply that comes too late is not stored, its call is recorded. */
    appendReply: Effect.fn("Conversations.appendReply")(
      (lease: Lease, content: ReadonlyArray<ContentBlock>, call: AnsweredCall) =>
        insertOwned(lease, { role: "ASSISTANT", content, replyOf: { taskId: lease.taskId, call } })
    ),

    /** Records the call of an empty reply, which is not stored. */
    recordEmptyReply: Effect.fn("Conversations.recordEmptyReply")((taskId: TaskId, call: AnsweredCall) =>
      Effect.suspend(() => {
        const record = { id: randomUUID(), taskId, call, purpose: "reply" } as const
        return DateTime.now.pipe(
          Effect.flatMap((now) => recordCall(sql, record, "NULL", DateTime.toDateUtc(now))),
          Effect.asVoid,
          repeatable
        )
      })
    ),

    /** Stores a note of the service to the model, as a USER message. */
    appendNote: Effect.fn("Conversations.appendNote")((lease: Lease, note: string) =>
      insertOwned(lease, { role: "USER", content: [text(note)] })
    ),

    /** Stores the results of a reply's tools as one USER message. */
    appendResults: Effect.fn("Conversations.appendResults")(
      (lease: Lease, reply: MessageId, results: ReadonlyArray<ToolResultBlock>) =>
        insertOwned(lease, { role: "USER", content: results, answers: reply })
    ),

    /**
     * `finishTool` and `appendResults` at once, for the last tool_use of a reply, whose result comes last. Where the lease is lost, the result
     * is recorded all the same.
     */
    finishLastTool: Effect.fn("Conversations.finishLastTool")(
      (lease: Lease, reply: MessageId, index: number, results: Arr.NonEmptyReadonlyArray<ToolResultBlock>) => {
        const last = { reply, index, result: Arr.lastNonEmpty(results) }
        return insertOwned(lease, { role: "USER", content: results, answers: reply, last })
      }
    ),

    /** The results of an interrupted run; ignored when the task is gone, goes on in another run, or has them. */
    appendLateResults: Effect.fn("Conversations.appendLateResults")(
      (taskId: TaskId, reply: MessageId, results: ReadonlyArray<ToolResultBlock>) =>
        insert({ task: unansweredTask(taskId, reply), role: "USER", content: results, answers: reply }),
      Effect.asVoid
    ),

    /**
     * Stores what the user did on the desktop at an instant (UTC), as long as the user controls the task, and unless the desktop was taken over
     * for another task by then.
     */
    appendUserAction: Effect.fn("Conversations.appendUserAction")(
      (taskId: TaskId, action: UserActionBlock, doneAt: DateTime.Utc) =>
        insert({ task: controlledTask(taskId, DateTime.toDateUtc(doneAt)), role: "USER", content: [action] }),
      Effect.asVoid
    )
  }
}

const originOf = ({ askedAt, model, prefix, provider }: AnsweredCall): Origin => ({ provider, model, prefix, askedAt })
