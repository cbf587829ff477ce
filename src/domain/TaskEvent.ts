import { Schema } from "effect"

/** What happened to a task; the names are those of the Socket.IO events (docs/contract/socketio.md). */
export const TaskEventKind = Schema.Literals(["task_created", "task_updated", "new_message", "task_deleted"])
export type TaskEventKind = typeof TaskEventKind.Type

/** Which event was committed; small enough for a database notification. */
export const TaskEventPointer = Schema.Struct({
  id: Schema.Int,
  taskId: Schema.String,
  kind: TaskEventKind
})
export interface TaskEventPointer extends Schema.Schema.Type<typeof TaskEventPointer> {}

/**
 * A committed event with its payload as the wire shows it: a Task, a Message, or the id of a deleted task. `userId` is that of the
 * task's owner, null for tasks without an owner.
 */
export const TaskEvent = Schema.Struct({
  ...TaskEventPointer.fields,
  userId: Schema.NullOr(Schema.String),
  payload: Schema.Json
})
export interface TaskEvent extends Schema.Schema.Type<typeof TaskEvent> {}
