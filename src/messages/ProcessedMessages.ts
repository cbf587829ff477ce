import { Predicate, Schema } from "effect"
import type { Role } from "../domain/Task.ts"

/** A message of a page, in the order of its keys on the wire. */
export interface PageMessage {
  readonly id: string
  readonly content: ReadonlyArray<Schema.Json>
  readonly role: Role
  readonly createdAt: Date
  readonly updatedAt: Date
  readonly taskId: string
  readonly summaryId: string | null
  /** Present where the user acted on the desktop. */
  readonly take_over?: true
}

/**
 * The message as its group shows it (docs/contract/rest.md, "Processed messages"): results of tools and the user's actions on the desktop
 * appear on the agent's side.
 */
export const processed = (message: PageMessage): PageMessage => {
  if (message.role !== "USER") return message
  // A message without blocks counts as one of results.
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
const desktopActions = (action: Schema.Json): ReadonlyArray<Schema.Json> =>
  isUserAction(action) ? action.content.filter((block) => isDesktopAction(block)) : []
