import { Array as Arr, Effect, Option } from "effect"
import type { SqlClient } from "effect/sql"
import { batched } from "../database/Batched.ts"
import { type Fields, recordStatement } from "../database/RecordStatement.ts"
import type { CallerIdentity } from "../domain/Caller.ts"
import type { TaskId } from "../domain/Task.ts"
import { fileBytes, taskSize, type WholeTaskRow, wholeTaskColumns } from "../tasks/TaskRow.ts"

/** A message of a user for a task. */
export interface UserMessage {
  readonly id: string
  readonly taskId: TaskId
  readonly text: string
  readonly at: Date
  readonly caller: CallerIdentity
  /** Most bytes of the task's texts and files: if they are larger, nothing is stored, and the texts are not read. */
  readonly room: number
}

/**
 * Stores a message once per id; concurrent ones share a statement. Gives the task, if the caller may see it. Nothing is stored if the task
 * exceeds the room (`isRead` is false).
 */
export const makeInsertMessage = (sql: SqlClient.SqlClient) => {
  const insertRecords = insertion(sql)
  return batched(
    (messages: Arr.NonEmptyReadonlyArray<UserMessage>) =>
      Effect.map(insertRecords(Arr.map(messages, recordOf)), (rows) => {
        const tasks = new Map(rows.map(({ index, ...task }) => [index, task]))
        return Arr.map(messages, (_, index) => Option.fromUndefinedOr(tasks.get(index)))
      }),
    ({ text }) => text.length > 100_000
  )
}

const recordOf = ({ at, caller, id, room, taskId, text }: UserMessage, index: number) => ({
  index,
  id,
  taskId,
  content: [{ type: "text", text }],
  at: at.toISOString(),
  userId: caller.userId,
  seesAll: caller.seesAll,
  room
})

const fields: Fields<ReturnType<typeof recordOf>> = {
  index: "int",
  id: "text",
  taskId: "text",
  content: "jsonb",
  at: "timestamp(3)",
  userId: "text",
  seesAll: "boolean",
  room: "float8"
}

// Every writer of messages locks the task's row first, so that positions and events follow the order of the commits.
const insertion = recordStatement<ReturnType<typeof recordOf>, WholeTaskRow & { readonly index: number }>(
  fields,
  (records) => `
  WITH new AS (${records}), task AS (
    SELECT n."index", n."room" >= ${taskSize("t")} + coalesce(${fileBytes("t")}, 0) AS "fits", t.* FROM new n JOIN "Task" t ON t."id" = n."taskId" AND (n."seesAll" OR n."userId" = t."userId")
    ORDER BY t."id" FOR NO KEY UPDATE OF t
  ), message AS (
    INSERT INTO "Message" ("id", "content", "role", "createdAt", "updatedAt", "taskId", "userId")
    SELECT n."id", n."content", 'USER', n."at", n."at", n."taskId", n."userId" FROM new n JOIN task ON task."index" = n."index" AND task."fits" ORDER BY n."index"
    ON CONFLICT ("id") DO NOTHING RETURNING "id", "taskId", "createdAt"
  ), event AS (
    INSERT INTO "TaskEvent" ("taskId", "kind", "messageId", "createdAt") SELECT "taskId", 'new_message', "id", "createdAt" FROM message
  )
  SELECT task."index", ${wholeTaskColumns("task", 'task."fits"')} FROM task`
)
