import { Schema } from "effect"
import { Instant, Role, TaskId } from "./Task.ts"

export const MessageId = Schema.String.pipe(Schema.brand("MessageId"))
export type MessageId = typeof MessageId.Type

/**
 * A stored message as the wire shows it. The blocks pass through as stored, so that the order of their keys and whatever
 * older versions wrote survive; `ContentBlock` gives them meaning where it is needed.
 */
export const Message = Schema.Struct({
  id: MessageId,
  content: Schema.Array(Schema.Json),
  role: Role,
  createdAt: Instant,
  updatedAt: Instant,
  taskId: TaskId,
  summaryId: Schema.NullOr(Schema.String)
})
export interface Message extends Schema.Schema.Type<typeof Message> {}
