import { randomUUID } from "node:crypto"
import { Context, DateTime, Effect, Layer, Schema } from "effect"
import { SqlClient } from "effect/sql"
import { repeatable } from "../database/DatabaseRetry.ts"
import { messageJson } from "../database/WireJson.ts"
import { Caller } from "../domain/Caller.ts"
import type { ServiceBusy } from "../domain/LimitErrors.ts"
import { Message } from "../domain/Message.ts"
import type { TaskId, TaskWithFiles } from "../domain/Task.ts"
import { type DatabaseUnavailable, TaskNotFound } from "../domain/TaskErrors.ts"
import { type Reserve, smallSize, wholeTaskOf } from "../tasks/TaskRow.ts"
import { visibleTo } from "../tasks/Visibility.ts"
import { makeInsertMessage } from "./MessageInsertion.ts"
import { contentSize, type MessageRow, messageColumns } from "./MessagePage.ts"

/** Messages as the users of a task read and write them; `Conversations` is the agent's side. */
export class Messages extends Context.Service<
  Messages,
  {
    /** Oldest first, `page` counts from 1; an unknown task has none. `reserve` is asked before the contents are read. */
    readonly list: (options: {
      readonly taskId: TaskId
      readonly page: number
      readonly limit: number
      readonly reserve: Reserve
    }) => Effect.Effect<ReadonlyArray<Message>, ServiceBusy | DatabaseUnavailable, Caller>
    /** The same as rows of `MessagePage`, to pass the stored text on; contents beyond the first `room` bytes are not read. */
    readonly rows: (options: {
      readonly taskId: TaskId
      readonly page: number
      readonly limit: number
      readonly room: number
    }) => Effect.Effect<ReadonlyArray<MessageRow>, DatabaseUnavailable, Caller>
    /** Rows, with their contents, of messages that the caller was given before; those that are gone are left out. */
    readonly rowsOf: (ids: ReadonlyArray<string>) => Effect.Effect<ReadonlyArray<MessageRow>, DatabaseUnavailable>
    /**
     * Stores a USER text message, in whatever status the task is; answers the task with its files, as the original does. `reserve` is asked
     * for these before: what it refuses is not stored.
     */
    readonly addUserMessage: (
      taskId: TaskId,
      text: string,
      reserve: Reserve
    ) => Effect.Effect<TaskWithFiles, TaskNotFound | ServiceBusy | DatabaseUnavailable, Caller>
  }
>()("bytebot/Messages") {
  static readonly layer = Layer.effect(
    Messages,
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const insertMessage = makeInsertMessage(sql)
      const wholeTask = wholeTaskOf(sql)
      const allColumns = sql.literal(messageColumns("message"))
      const columns = sql.literal(messageColumns("message", 'message."size"', 'message."upToHere" <= room."bytes"'))
      const size = sql.literal(`${contentSize("message")} AS size`)

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
        readonly reserve: Reserve
      }) {
        yield* Effect.annotateCurrentSpan({ "task.id": options.taskId })
        const page = yield* pageOf(options)
        const sizes = yield* sql<{ readonly size: number }>`SELECT ${size} ${page}`
        yield* options.reserve(sizes.reduce((sum, message) => sum + message.size, 0))
        const rows = yield* sql`SELECT ${sql.literal(messageJson("message"))} AS message ${page}`
        return (yield* decodeRows(rows)).map((row) => row.message)
      }, repeatable)

      const rows = Effect.fn("Messages.rows")(function* (options: {
        readonly taskId: TaskId
        readonly page: number
        readonly limit: number
        readonly room: number
      }) {
        yield* Effect.annotateCurrentSpan({ "task.id": options.taskId })
        return yield* sql<MessageRow>`
          SELECT ${columns} FROM (
            SELECT *, sum(sized."size") OVER (ORDER BY sized."createdAt", sized."position" ROWS UNBOUNDED PRECEDING) AS "upToHere"
            FROM (SELECT message.*, ${size} ${yield* pageOf(options)}) sized
          ) message CROSS JOIN (SELECT ${options.room}::bigint AS bytes) room ORDER BY message."createdAt", message."position"`
      }, repeatable)

      const rowsOf = Effect.fn("Messages.rowsOf")(function* (ids: ReadonlyArray<string>) {
        return yield* sql<MessageRow>`
          SELECT ${allColumns} FROM json_array_elements_text(${JSON.stringify(ids)}::json) WITH ORDINALITY wanted("id", "place")
          JOIN "Message" message ON message."id" = wanted."id" ORDER BY wanted."place"`
      }, repeatable)

      const insert = Effect.fnUntraced(function* (id: string, taskId: TaskId, text: string, reserve: Reserve) {
        const caller = yield* Caller
        const at = DateTime.toDateUtc(yield* DateTime.now)
        const message = { id, taskId, text, at, caller }
        const notFound = Effect.mapError(() => new TaskNotFound({ id: taskId }))
        const first = yield* notFound(Effect.fromOption(yield* insertMessage({ ...message, room: smallSize })))
        if (first.isRead) return yield* wholeTask(first, () => Effect.void)
        const size = first.textBytes + (first.fileBytes ?? 0)
        yield* reserve(size)
        const second = yield* insertMessage({ ...message, room: Number.MAX_SAFE_INTEGER })
        return yield* wholeTask(yield* notFound(Effect.fromOption(second)), () => Effect.void)
      }, repeatable)

      const addUserMessage = Effect.fn("Messages.addUserMessage")(function* (
        taskId: TaskId,
        text: string,
        reserve: Reserve
      ) {
        yield* Effect.annotateCurrentSpan({ "task.id": taskId })
        return yield* insert(randomUUID(), taskId, text, reserve)
      })

      return Messages.of({ list, rows, rowsOf, addUserMessage })
    })
  )
}

const decodeRows = Schema.decodeUnknownEffect(Schema.Array(Schema.Struct({ message: Message })))
