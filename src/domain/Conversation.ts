import { type DateTime, Option } from "effect"
import type { ContentBlock, ToolUseBlock } from "./ContentBlock.ts"
import type { MessageId } from "./Message.ts"
import type { TokenCounts } from "./ModelCall.ts"
import type { Role } from "./Task.ts"

/** Which model wrote a reply, when it was asked, and the digest of all that it had read, that time included; null: not known. */
export interface Origin {
  readonly provider: string
  readonly model: string
  readonly prefix: string | null
  readonly askedAt: DateTime.Utc | null
}

/** A message as the agent reads it; `position` orders the messages of a task by their commits. */
export interface Entry {
  readonly id: MessageId
  readonly position: bigint
  readonly role: Role
  readonly content: ReadonlyArray<ContentBlock>
  readonly createdAt: DateTime.Utc
  readonly origin: Origin | null
}

/** The newest summary and the messages after it. */
export interface Conversation {
  readonly summary: Option.Option<{ readonly id: string; readonly content: string }>
  readonly entries: ReadonlyArray<Entry>
}

/** An answered call of a model, before it is recorded as a `ModelCall`. */
export interface AnsweredCall extends Origin {
  readonly askedAt: DateTime.Utc
  readonly tokens: TokenCounts
  readonly cost: number | null
  readonly durationMs: number
}

/** A summary of the messages up to the position `through`, which follows on the summary `parentId`. */
export interface NewSummary {
  readonly content: string
  readonly parentId: string | null
  readonly through: bigint
}

/** The tool_use blocks of a reply, in order. */
export const toolUses = (content: ReadonlyArray<ContentBlock>): ReadonlyArray<ToolUseBlock> =>
  content.filter((block) => block.type === "tool_use")

/** The newest reply, if its tools have no results yet: where an interrupted run has to go on. */
export const openReply = (entries: ReadonlyArray<Entry>): Option.Option<Entry> => {
  const index = entries.findLastIndex((entry) => entry.role === "ASSISTANT")
  const reply = entries[index]
  if (reply === undefined || toolUses(reply.content).length === 0) return Option.none()
  const answered = entries.slice(index + 1).some((entry) => entry.content.some((block) => block.type === "tool_result"))
  return answered ? Option.none() : Option.some(reply)
}
