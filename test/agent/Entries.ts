import { DateTime } from "effect"
import {
  type ContentBlock,
  pngImage,
  type ToolResultBlock,
  type ToolUseBlock,
  text,
  toolResult
} from "../../src/domain/ContentBlock.ts"
import type { Entry } from "../../src/domain/Conversation.ts"
import { MessageId } from "../../src/domain/Message.ts"

/** Messages of a task, as rows would have them: the position numbers them, and is their age in seconds. */
export const entry = (role: Entry["role"], position: number, content: ReadonlyArray<ContentBlock>): Entry => ({
  id: MessageId.make(`message-${position}`),
  position: BigInt(position),
  role,
  content,
  createdAt: DateTime.makeUnsafe(position * 1000),
  origin: null
})

export const toolUse = (id: string, name: string, input: ToolUseBlock["input"] = {}): ToolUseBlock => ({
  type: "tool_use",
  id,
  name,
  input
})

/** A result with a picture of the screen, told apart by a number. */
export const shows = (id: string, screen: number): ToolResultBlock =>
  toolResult(id, [text("Tool executed successfully"), pngImage(`screen${screen}`)])

/** Numbers from 0 to below `limit` that look random; a seed gives always the same. */
export const numbers = (seed: number): ((limit: number) => number) => {
  let state = seed >>> 0
  return (limit) => {
    // Numerical Recipes' linear congruential generator; its low bits are poor.
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * limit)
  }
}
