import { randomUUID } from "node:crypto"
import { Context, DateTime, Effect, Layer, Option, Schema } from "effect"
import { SqlClient } from "effect/sql"
import { repeatable } from "../database/DatabaseRetry.ts"
import { messageJson } from "../database/WireJson.ts"
import { Caller } from "../domain/Caller.ts"
import { Message } from "../domain/Message.ts"
import type { TaskId, TaskWithFiles } from "../domain/Task.ts"
import { type DatabaseUnavailable, TaskNotFound } from "../domain/TaskErrors.ts"
import { wholeTaskOf } from "../tasks/TaskRow.ts"
import { visibleTo } from "../tasks/Visibility.ts"
import { makeInsertMessage } from "./MessageInsertion.ts"
import { messageColumns, type MessageRow } from "./MessagePage.ts"

/** Messages as the users of a task read and write them; `Conversations` is the agent's side. */
export class Messages extends Context.Service<
  Messages,
  {
    /** Oldest first, `page` counts from 1; an unknown task has none. */
    readonly list: (options: {
      readonly taskId: TaskId
      readonly page: number
      readonly limit: number
    }) => Effect.Effect<ReadonlyArray<Message>, DatabaseUnavailable, Caller>
    /** The same as rows of `MessagePage`, for whoever passes the stored text on. */
    readonly rows: (options: {
      readonly taskId: TaskId
      readonly page: number
      readonly limit: number
    }) => Effect.Effect<ReadonlyArray<MessageRow>, DatabaseUnavailable, Caller>
    /** Stores a USER text message, in whatever status the task is; answers the task with its files, as the original does. */
    readonly addUserMessage: (
      taskId: TaskId,
      text: string
    ) => Effect.Effect<TaskWithFiles, TaskNotFound | DatabaseUnavailable, Caller>
  }
>()("bytebot/Messages") {
  static readonly layer = Layer.effect(
    Messages,
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const insertMessage = makeInsertMessage(sql)
      const wholeTask = wholeTaskOf(sql)
      const columns = sql.literal(messageColumns("message"))

      /** FROM and what follows, of a page of the messages that are there for the caller. */
      const pageOf = Effect.fnUntraced(function* (options: {
        readonly taskId: TaskId
        readonly page: number
        readonly limit: number
      }) {
        const caller = yield* Caller
        const ofVisibleTask = caller.seesAll
          ? sql.literal("TRUE")
          : sql`EXISTS (SELECT 1 FROM "Task" t WHERE t."id" = ${options.taskId} AND ${visibleTo(sql, caller, "t")})`
        return sql`FROM "Message" message WHERE message."taskId" = ${options.taskId} AND ${ofVisibleTask}
          ORDER BY message."createdAt", message."position" LIMIT ${options.limit} OFFSET ${(options.page - 1) * options.limit}`
      })

      const list = Effect.fn("Messages.list")(function* (options: {
        readonly taskId: TaskId
        readonly page: number
        readonly limit: number
      }) {
        yield* Effect.annotateCurrentSpan({ "task.id": options.taskId })
        const rows = yield* sql`SELECT ${sql.literal(messageJson("message"))} AS message ${yield* pageOf(options)}`
        return (yield* decodeRows(rows)).map((row) => row.message)
      }, repeatable)

      const rows = Effect.fn("Messages.rows")(function* (options: {
        readonly taskId: TaskId
        readonly page: number
        readonly limit: number
      }) {
        yield* Effect.annotateCurrentSpan({ "task.id": options.taskId })
        return yield* sql<MessageRow>`SELECT ${columns} ${yield* pageOf(options)}`
      }, repeatable)

      const insert = Effect.fnUntraced(function* (id: string, taskId: TaskId, text: string) {
        const caller = yield* Caller
        const at = DateTime.toDateUtc(yield* DateTime.now)
        const task = yield* insertMessage({ id, taskId, text, at, caller })
        return Option.isNone(task) ? yield* new TaskNotFound({ id: taskId }) : yield* wholeTask(task.value)
      }, repeatable)

      const addUserMessage = Effect.fn("Messages.addUserMessage")(function* (taskId: TaskId, text: string) {
        yield* Effect.annotateCurrentSpan({ "task.id": taskId })
        return yield* insert(randomUUID(), taskId, text)
      })

      return Messages.of({ list, rows, addUserMessage })
    })
  )
}

const decodeRows = Schema.decodeUnknownEffect(Schema.Array(Schema.Struct({ message: Message })))
