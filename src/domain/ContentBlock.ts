import { Schema } from "effect"

/** Blocks of `Message.content`, provider-neutral (docs/contract/agent.md, "Content blocks"). Keys stand in the order jsonb gives them. */

export const TextBlock = Schema.Struct({ text: Schema.String, type: Schema.Literal("text") })

const Base64Source = Schema.Struct({
  data: Schema.String,
  type: Schema.Literal("base64"),
  media_type: Schema.String
})

export const ImageBlock = Schema.Struct({ type: Schema.Literal("image"), source: Base64Source })

export const DocumentBlock = Schema.Struct({
  name: Schema.optionalKey(Schema.String),
  size: Schema.optionalKey(Schema.Finite),
  type: Schema.Literal("document"),
  source: Base64Source
})

/** `input` is an object by contract; older rows hold null for tools without parameters. `extra` (ours): see `Attached`. */
export const ToolUseBlock = Schema.Struct({
  id: Schema.String,
  name: Schema.String,
  type: Schema.Literal("tool_use"),
  extra: Schema.optionalKey(Schema.String),
  input: Schema.Json
})

export const ToolResultContent = Schema.Union([TextBlock, ImageBlock, DocumentBlock])

export const ToolResultBlock = Schema.Struct({
  type: Schema.Literal("tool_result"),
  content: Schema.Array(ToolResultContent),
  is_error: Schema.optionalKey(Schema.Boolean),
  tool_use_id: Schema.String
})

/**
 * The model's reasoning; the signature lets its provider take it back in later requests. OpenAI's is stored as the original does: encrypted
 * as `thinking`, its id as `signature`; what there is to read of it is the `summary` (ours). `extra` (ours): see `Attached`.
 */
export const ThinkingBlock = Schema.Struct({
  type: Schema.Literal("thinking"),
  extra: Schema.optionalKey(Schema.String),
  summary: Schema.optionalKey(Schema.String),
  thinking: Schema.String,
  signature: Schema.String
})

export const RedactedThinkingBlock = Schema.Struct({ data: Schema.String, type: Schema.Literal("redacted_thinking") })

/** What a person did on the desktop while in control: the screen before it, if seen, and the action as a tool_use. */
export const UserActionBlock = Schema.Struct({
  type: Schema.Literal("user_action"),
  content: Schema.Array(Schema.Union([ImageBlock, ToolUseBlock]))
})

export const ContentBlock = Schema.Union([
  TextBlock,
  ImageBlock,
  DocumentBlock,
  ToolUseBlock,
  ToolResultBlock,
  ThinkingBlock,
  RedactedThinkingBlock,
  UserActionBlock
])

export type TextBlock = typeof TextBlock.Type
export type ImageBlock = typeof ImageBlock.Type
export type DocumentBlock = typeof DocumentBlock.Type
export type ToolUseBlock = typeof ToolUseBlock.Type
export type ToolResultContent = typeof ToolResultContent.Type
export type ToolResultBlock = typeof ToolResultBlock.Type
export type ThinkingBlock = typeof ThinkingBlock.Type
export type UserActionBlock = typeof UserActionBlock.Type
export type ContentBlock = typeof ContentBlock.Type

/** A text block. */
export const text = (value: string): TextBlock => ({ text: value, type: "text" })

/** A PNG image block from base64. */
export const pngImage = (base64: string): ImageBlock => ({
  type: "image",
  source: { data: base64, type: "base64", media_type: "image/png" }
})

/** The answer to a tool_use. */
export const toolResult = (
  toolUseId: string,
  content: ReadonlyArray<ToolResultContent>,
  isError?: boolean
): ToolResultBlock => ({
  type: "tool_result",
  content,
  ...(isError === undefined ? {} : { is_error: isError }),
  tool_use_id: toolUseId
})
