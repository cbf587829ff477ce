import { randomUUID } from "node:crypto"
import { Context, DateTime, Effect, Layer, Schema } from "effect"
import { SqlClient } from "effect/sql"
import { repeatable } from "../database/DatabaseRetry.ts"
import { storableJson } from "../database/StorableJson.ts"
import { messageJson } from "../database/WireJson.ts"
import { Message } from "../domain/Message.ts"
import type { TaskId, TaskWithFiles } from "../domain/Task.ts"
import { type DatabaseUnavailable, TaskNotFound } from "../domain/TaskErrors.ts"
import { Tasks } from "../tasks/Tasks.ts"

/** Messages as the users of a task read and write them; `Conversations` is the agent's side. */
export class Messages extends Context.Service<
  Messages,
  {
    /** Oldest first, `page` counts from 1; an unknown task has none. */
    readonly list: (options: {
      readonly taskId: TaskId
      readonly page: number
      readonly limit: number
    }) => Effect.Effect<ReadonlyArray<Message>, DatabaseUnavailable>
    /** Stores a USER text message, in whatever status the task is; answers the task with its files, as the original does. */
    readonly addUserMessage: (
      taskId: TaskId,
      text: string
    ) => Effect.Effect<TaskWithFiles, TaskNotFound | DatabaseUnavailable>
  }
>()("bytebot/Messages") {
  static readonly layer = Layer.effect(
    Messages,
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const tasks = yield* Tasks

      const list = Effect.fn("Messages.list")(function* (options: {
        readonly taskId: TaskId
        readonly page: number
        readonly limit: number
      }) {
        yield* Effect.annotateCurrentSpan({ "task.id": options.taskId })
        const rows = yield* sql`
          SELECT ${sql.literal(messageJson("message"))} AS message FROM "Message" message WHERE message."taskId" = ${options.taskId}
          ORDER BY message."createdAt", message."position" LIMIT ${options.limit} OFFSET ${(options.page - 1) * options.limit}`
        return (yield* decodeRows(rows)).map((row) => row.message)
      }, repeatable)

      /** Stores the message; false when there is no such task. */
      const insert = Effect.fnUntraced(function* (id: string, taskId: TaskId, text: string) {
        const at = DateTime.toDateUtc(yield* DateTime.now)
        // The task's row is locked first by every writer of messages: so positions and events follow the order of commits.
        const rows = yield* sql`
          WITH task AS (SELECT "id" FROM "Task" WHERE "id" = ${taskId} FOR NO KEY UPDATE), message AS (
            INSERT INTO "Message" ("id", "content", "role", "createdAt", "updatedAt", "taskId")
            SELECT ${id}, ${storableJson([{ type: "text", text }])}::jsonb, 'USER', ${at}, ${at}, task."id" FROM task
            ON CONFLICT ("id") DO NOTHING RETURNING "id", "taskId"
          ), event AS (
            INSERT INTO "TaskEvent" ("taskId", "kind", "messageId", "createdAt") SELECT "taskId", 'new_message', "id", ${at} FROM message
          )
          SELECT 1 FROM message`
        return rows.length > 0 || (yield* sql`SELECT 1 FROM "Message" WHERE "id" = ${id}`).length > 0
      }, repeatable)

      const addUserMessage = Effect.fn("Messages.addUserMessage")(function* (taskId: TaskId, text: string) {
        yield* Effect.annotateCurrentSpan({ "task.id": taskId })
        if (!(yield* insert(randomUUID(), taskId, text))) return yield* new TaskNotFound({ id: taskId })
        return yield* tasks.get(taskId)
      })

      return Messages.of({ list, addUserMessage })
    })
  )
}

const decodeRows = Schema.decodeUnknownEffect(Schema.Array(Schema.Struct({ message: Message })))
