import { Schema } from "effect"
import { TaskId } from "./Task.ts"

/**
 * A piece of the message that a model is writing, never stored. `index` counts the pieces of one draft: 0 begins a new one, and what was
 * there before is void. An empty `text` is the end of a draft that came to nothing.
 */
export const MessageDelta = Schema.Struct({
  taskId: TaskId,
  index: Schema.Int,
  kind: Schema.Literals(["text", "thinking"]),
  text: Schema.String
})
export interface MessageDelta extends Schema.Schema.Type<typeof MessageDelta> {}
