import { Predicate, Schema } from "effect"
import type { Message } from "../domain/Message.ts"
import type { Role } from "../domain/Task.ts"

/** A message as a group shows it; `take_over` is there, and true, where a user acted on the desktop. */
export interface ShownMessage extends Message {
  readonly take_over?: boolean
}

/** Back-to-back messages of one role, and of one kind: what a user did on the desktop, or not. */
export interface MessageGroup {
  readonly role: Role
  readonly messages: ReadonlyArray<ShownMessage>
  readonly take_over: boolean
}

/**
 * Groups messages, oldest first, the way the web UI shows them (docs/contract/rest.md, "Processed messages"): results of tools and the
 * actions of a user on the desktop appear on the agent's side. No message is lost, and their order stays.
 */
export const groupMessages = (messages: ReadonlyArray<Message>): ReadonlyArray<MessageGroup> => {
  const groups: Array<MessageGroup & { readonly messages: Array<ShownMessage> }> = []
  for (const message of messages.map(shown)) {
    const takeOver = message.take_over ?? false
    const last = groups.at(-1)
    if (last !== undefined && last.role === message.role && last.take_over === takeOver) {
      last.messages.push(message)
    } else {
      groups.push({ role: message.role, messages: [message], take_over: takeOver })
    }
  }
  return groups
}

const shown = (message: Message): ShownMessage => {
  if (message.role !== "USER") return message
  // An empty message counts as one of results only: its "every block" holds.
  if (message.content.every(isBlock("tool_result"))) return { ...message, role: "ASSISTANT" }
  if (!message.content.every(isBlock("user_action"))) return message
  return { ...message, content: message.content.flatMap(desktopActions), role: "ASSISTANT", take_over: true }
}

const isBlock =
  (type: string) =>
  (block: Schema.Json): boolean =>
    Predicate.hasProperty(block, "type") && block.type === type

const isUserAction = Schema.is(Schema.Struct({ content: Schema.Array(Schema.Json) }))
const isDesktopAction = Schema.is(
  Schema.Struct({ type: Schema.Literal("tool_use"), name: Schema.TemplateLiteral(["computer_", Schema.String]) })
)

/** The actions inside a user_action block, as the tool_use blocks that they were stored as. */
export const desktopActions = (action: Schema.Json): ReadonlyArray<Schema.Json> =>
  isUserAction(action) ? action.content.filter((block) => isDesktopAction(block)) : []
