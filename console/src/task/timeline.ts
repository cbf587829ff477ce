import { DateTime, Option, Schema } from "effect"
import { RedactedThinkingBlock, TextBlock, ThinkingBlock, ToolUseBlock } from "../../../src/domain/ContentBlock.ts"
import type { Message } from "../../../src/domain/Message.ts"

/** The conversation of a task as a person reads it: one step per reply, message or captured action. */

const Picture = Schema.Struct({
  type: Schema.Literal("image"),
  source: Schema.Struct({ type: Schema.Literal("url"), url: Schema.String, media_type: Schema.String })
})
const Document = Schema.Struct({ type: Schema.Literal("document"), name: Schema.optionalKey(Schema.String) })
const Result = Schema.Struct({
  type: Schema.Literal("tool_result"),
  tool_use_id: Schema.String,
  is_error: Schema.optionalKey(Schema.Boolean),
  content: Schema.Array(Schema.Union([TextBlock, Picture, Document]))
})
const Captured = Schema.Struct({
  type: Schema.Literal("user_action"),
  content: Schema.Array(Schema.Union([Picture, ToolUseBlock]))
})
const decodeBlock = Schema.decodeUnknownOption(
  Schema.Union([TextBlock, Picture, Document, ToolUseBlock, Result, Captured, ThinkingBlock, RedactedThinkingBlock])
)

export interface Action {
  readonly id: string
  /** Without the prefix `computer_`. */
  readonly name: string
  readonly input: Schema.Json
  readonly outcome: "open" | "done" | "failed"
  /** What the tool said, without "Tool executed successfully". */
  readonly said: ReadonlyArray<string>
}

export interface Step {
  readonly key: string
  readonly messageId: string
  /** ms since 1970. */
  readonly at: number
  readonly by: "agent" | "person" | "captured"
  readonly texts: ReadonlyArray<string>
  readonly thinking: ReadonlyArray<string>
  readonly actions: ReadonlyArray<Action>
  /** The screen after the step; of a captured action, the screen before it. */
  readonly picture: string | undefined
}

const success = "Tool executed successfully"

const actionOf = ({ id, input, name }: ToolUseBlock): Action => ({
  id,
  name: name.replace(/^computer_/, ""),
  input,
  outcome: "open",
  said: []
})

const withResult = (step: Step, { content, is_error, tool_use_id }: typeof Result.Type): Step => {
  const said = content.flatMap((part) =>
    part.type === "text" && part.text !== success
      ? [part.text]
      : part.type === "document"
        ? [`Read ${part.name ?? "a file"}`]
        : []
  )
  const picture = content.findLast((part) => part.type === "image")
  return {
    ...step,
    actions: step.actions.map((action) =>
      action.id === tool_use_id ? { ...action, said, outcome: is_error === true ? "failed" : "done" } : action
    ),
    picture: picture?.source.url ?? step.picture
  }
}

/** What the blocks of one message are, apart from tool results. */
const stepOf = ({ content, createdAt, id, role }: Message): Step => {
  const blocks = content.flatMap((block) => Option.toArray(decodeBlock(block)))
  const captured = blocks.flatMap((block) => (block.type === "user_action" ? block.content : []))
  const pictures = [...blocks, ...captured].flatMap((block) => (block.type === "image" ? [block.source.url] : []))
  return {
    key: id,
    messageId: id,
    at: DateTime.toEpochMillis(createdAt),
    by: role === "ASSISTANT" ? "agent" : captured.length > 0 ? "captured" : "person",
    texts: blocks.flatMap((block) => (block.type === "text" ? [block.text] : [])),
    thinking: blocks.flatMap((block) => (block.type === "thinking" ? [block.summary ?? readable(block)] : [])),
    actions: [...blocks, ...captured].flatMap((block) => (block.type === "tool_use" ? [actionOf(block)] : [])),
    picture: pictures.at(-1)
  }
}

/** OpenAI's reasoning is encrypted, and stored with the id `rs_…` as signature (docs/contract/agent.md). */
const readable = ({ signature, thinking }: ThinkingBlock): string => (signature.startsWith("rs_") ? "" : thinking)

const isEmpty = ({ actions, picture, texts, thinking }: Step): boolean =>
  actions.length === 0 && texts.length === 0 && thinking.length === 0 && picture === undefined

/** The steps of a conversation, oldest first; pictures are addresses (`images=urls`). */
export const stepsOf = (messages: ReadonlyArray<Message>): ReadonlyArray<Step> => {
  const steps: Array<Step> = []
  const places = new Map<string, number>()
  for (const message of messages) {
    for (const block of message.content) {
      const result = Option.getOrUndefined(decodeBlock(block))
      if (result?.type !== "tool_result") continue
      const place = places.get(result.tool_use_id)
      const step = place === undefined ? undefined : steps[place]
      if (place !== undefined && step !== undefined) steps[place] = withResult(step, result)
    }
    const step = stepOf(message)
    if (isEmpty(step)) continue
    for (const { id } of step.actions) places.set(id, steps.length)
    steps.push(step)
  }
  return steps
}

const decodeAsked = Schema.decodeUnknownOption(
  Schema.Struct({ status: Schema.Literal("needs_help"), description: Schema.String })
)

/** What the agent asked last, for a task that needs help. */
export const questionOf = (steps: ReadonlyArray<Step>): string | undefined =>
  steps
    .flatMap(({ actions }) => actions)
    .flatMap(({ input, name }) => (name === "set_task_status" ? Option.toArray(decodeAsked(input)) : []))
    .at(-1)?.description

/** The screen as it was before the step at this place. */
export const pictureBefore = (steps: ReadonlyArray<Step>, index: number): string | undefined => {
  const step = steps[index]
  if (step?.by === "captured") return step.picture
  return steps.slice(0, index).findLast(({ picture }) => picture !== undefined)?.picture
}
