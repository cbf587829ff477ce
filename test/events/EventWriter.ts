import { randomUUID } from "node:crypto"
import { Effect } from "effect"
import { SqlClient } from "effect/sql"

/** Writes what the services write: changes together with their events, in the caller's transaction. */

export const task = Effect.fn("EventWriter.task")(function* () {
  const sql = yield* SqlClient.SqlClient
  const id = randomUUID()
  yield* sql`INSERT INTO "Task" ("id", "description", "model", "updatedAt") VALUES (${id}, 'd', '{}'::jsonb, now())`
  return id
})

/** An event with a payload of its own; `at` defaults to now. */
export const event = Effect.fn("EventWriter.event")(function* (
  taskId: string,
  payload: unknown,
  options?: { readonly kind?: string; readonly at?: Date }
) {
  const sql = yield* SqlClient.SqlClient
  yield* sql`INSERT INTO "TaskEvent" ("taskId", "kind", "payload", "createdAt")
    VALUES (${taskId}, ${options?.kind ?? "task_updated"}, ${JSON.stringify(payload)}::json, ${options?.at ?? new Date()})`
})

/** A stored message with its event; gives the message's id. */
export const message = Effect.fn("EventWriter.message")(function* (taskId: string, content: unknown) {
  const sql = yield* SqlClient.SqlClient
  const id = randomUUID()
  yield* sql`
    WITH message AS (
      INSERT INTO "Message" ("id", "content", "role", "updatedAt", "taskId")
      VALUES (${id}, ${JSON.stringify(content)}::jsonb, 'USER', now(), ${taskId}) RETURNING "id", "taskId"
    )
    INSERT INTO "TaskEvent" ("taskId", "kind", "messageId", "createdAt") SELECT "taskId", 'new_message', "id", now() FROM message`
  return id
})

/** Cuts every connection that listens; gives how many. */
export const cutListeners = Effect.fn("EventWriter.cutListeners")(function* () {
  const sql = yield* SqlClient.SqlClient
  const rows = yield* sql`
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN %'`
  return rows.length
})
