import { Schema } from "effect"
import { Message } from "./Message.ts"
import { MessageDelta } from "./MessageDelta.ts"
import { Task, TaskId } from "./Task.ts"

/** A position in the feed of events; a watcher that comes back with it goes on from there. */
const position = { position: Schema.String }

/** What a watcher of tasks is told, typed. `Gap`: some of what was missed is not kept any more; read the tasks again. */
export const WatchedEvent = Schema.Union([
  Schema.TaggedStruct("TaskCreated", { ...position, task: Task }),
  Schema.TaggedStruct("TaskUpdated", { ...position, task: Task }),
  Schema.TaggedStruct("NewMessage", { ...position, message: Message }),
  Schema.TaggedStruct("MessageDelta", { ...position, ...MessageDelta.fields }),
  Schema.TaggedStruct("TaskDeleted", { ...position, taskId: TaskId }),
  Schema.TaggedStruct("Gap", position)
])
export type WatchedEvent = typeof WatchedEvent.Type

/** The watcher did not keep up and was cut off; it can go on from the last position that it got. */
export class SubscriberTooSlow extends Schema.TaggedError<SubscriberTooSlow>()("SubscriberTooSlow", {
  capacity: Schema.Int
}) {
  override get message(): string {
    return `The subscriber of events was more than ${this.capacity} events behind`
  }
}
