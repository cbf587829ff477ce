import { randomUUID } from "node:crypto"
import { Context, DateTime, Effect, Layer, Schema } from "effect"
import { SqlClient } from "effect/sql"
import { repeatable } from "../database/DatabaseRetry.ts"
import { messageJson } from "../database/WireJson.ts"
import { Caller } from "../domain/Caller.ts"
import { Message } from "../domain/Message.ts"
import type { TaskId } from "../domain/Task.ts"
import { TaskNotFound } from "../domain/TaskErrors.ts"
import { type Reserve, smallSize, wholeTaskOf } from "../tasks/TaskRow.ts"
import { visibleTo } from "../tasks/Visibility.ts"
import { makeInsertMessage } from "./MessageInsertion.ts"
import { contentSize, type MessageRow, messageColumns } from "./MessagePage.ts"

/** A page of a task's messages, oldest first. `page` counts from 1. An unknown task has none. */
interface Page {
  readonly taskId: TaskId
  readonly page: number
  readonly limit: number
}

/** Messages as the users of a task read and write them; `Conversations` is the agent's side. */
export class Messages extends Context.Service<Messages>()("bytebot/Messages", {
  make: Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    const insertMessage = makeInsertMessage(sql)
    const wholeTask = wholeTaskOf(sql)
    const allColumns = sql.literal(messageColumns("message"))
    const columns = sql.literal(messageColumns("message", 'message."size"', 'message."upToHere" <= room."bytes"'))
    const size = sql.literal(`${contentSize("message")} AS size`)

    /** SQL: FROM and what follows. */
    const fromPage = Effect.fnUntraced(function* ({ limit, page, taskId }: Page) {
      yield* Effect.annotateCurrentSpan({ "task.id": taskId })
      const caller = yield* Caller
      const ofVisibleTask = caller.seesAll
        ? sql.literal("TRUE")
        : sql`EXISTS (SELECT 1 FROM "Task" t WHERE t."id" = ${taskId} AND ${visibleTo(sql, caller, "t")})`
      return sql`FROM "Message" message WHERE message."taskId" = ${taskId} AND ${ofVisibleTask}
        ORDER BY message."createdAt", message."position" LIMIT ${limit} OFFSET ${(page - 1) * limit}`
    })

    const insert = Effect.fnUntraced(function* (id: string, taskId: TaskId, text: string, reserve: Reserve) {
      const caller = yield* Caller
      const at = DateTime.toDateUtc(yield* DateTime.now)
      const insertIn = (room: number) =>
        insertMessage({ id, taskId, text, at, caller, room }).pipe(
          Effect.flatMap(Effect.fromOption),
          Effect.catchTag("NoSuchElementError", () => Effect.fail(new TaskNotFound({ id: taskId })))
        )
      const first = yield* insertIn(smallSize)
      if (!first.isRead) yield* reserve(first.textBytes + (first.fileBytes ?? 0))
      return yield* wholeTask(first.isRead ? first : yield* insertIn(Number.MAX_SAFE_INTEGER), () => Effect.void)
    }, repeatable)

    return {
      /** `reserve` is asked before the contents are read. */
      list: Effect.fn("Messages.list")(function* (page: Page, reserve: Reserve) {
        const from = yield* fromPage(page)
        const sizes = yield* sql<{ readonly size: number }>`SELECT ${size} ${from}`
        yield* reserve(sizes.reduce((sum, message) => sum + message.size, 0))
        const rows = yield* sql`SELECT ${sql.literal(messageJson("message"))} AS message ${from}`
        return (yield* decodeRows(rows)).map((row) => row.message)
      }, repeatable),

      /** The same as rows; contents beyond the first `room` bytes are not read. */
      rows: Effect.fn("Messages.rows")(function* (page: Page, room: number) {
        return yield* sql<MessageRow>`
          SELECT ${columns} FROM (
            SELECT *, sum(sized."size") OVER (ORDER BY sized."createdAt", sized."position" ROWS UNBOUNDED PRECEDING) AS "upToHere"
            FROM (SELECT message.*, ${size} ${yield* fromPage(page)}) sized
          ) message CROSS JOIN (SELECT ${room}::bigint AS bytes) room ORDER BY message."createdAt", message."position"`
      }, repeatable),

      /** Rows, with their contents, of messages that the caller has been given before; deleted ones are left out. */
      rowsOf: Effect.fn("Messages.rowsOf")(function* (ids: ReadonlyArray<string>) {
        return yield* sql<MessageRow>`
          SELECT ${allColumns} FROM json_array_elements_text(${JSON.stringify(ids)}::json) WITH ORDINALITY wanted("id", "place")
          JOIN "Message" message ON message."id" = wanted."id" ORDER BY wanted."place"`
      }, repeatable),

      /**
       * Stores a USER text message, whatever the task's status; gives the task with its files, as the original does. `reserve` is asked for
       * these before: if it refuses, nothing is stored.
       */
      addUserMessage: Effect.fn("Messages.addUserMessage")(function* (taskId: TaskId, text: string, reserve: Reserve) {
        yield* Effect.annotateCurrentSpan({ "task.id": taskId })
        return yield* insert(randomUUID(), taskId, text, reserve)
      })
    }
  })
}) {
  static readonly layer = Layer.effect(Messages, Messages.make)
}

const decodeRows = Schema.decodeUnknownEffect(Schema.Array(Schema.Struct({ message: Message })))
