import { randomBytes } from "node:crypto"
import type Anthropic from "@anthropic-ai/sdk"
import { pieces } from "./eventStream.ts"
import type { MessagesRequest } from "./anthropicRequest.ts"
import { type ErrorBody, identifier, type MessageReply, type ReplyBlock, type ReplyUsage } from "./modelReplies.ts"

/** How a scripted reply becomes a complete answer of the Messages API. */

/** Which part of the prompt was already in the cache. */
export type CacheRead = "messages" | "system" | "tools" | null

const completeBlock = (block: ReplyBlock): Anthropic.ContentBlock => {
  switch (block.type) {
    case "text":
      return { citations: null, ...block }
    case "tool_use":
      return { ...block, id: block.id ?? identifier("toolu"), caller: { type: "direct" } }
    case "thinking":
      return { ...block, signature: block.signature ?? randomBytes(48).toString("base64") }
    case "redacted_thinking":
      return block
  }
}

/** The whole message as the API sends it. */
export const completeMessage = (
  reply: MessageReply,
  request: MessagesRequest,
  cached: CacheRead
): Anthropic.Message => ({
  id: identifier("msg"),
  type: "message",
  role: "assistant",
  model: reply.model ?? request.model,
  content: reply.content.map(completeBlock),
  stop_reason: stopReason(reply),
  stop_sequence: reply.stop_sequence ?? null,
  stop_details: null,
  container: null,
  diagnostics: null,
  usage: completeUsage(reply.usage, cached)
})

const stopReason = ({ content, stop_reason }: MessageReply): Anthropic.StopReason => {
  if (stop_reason === undefined) return content.some(({ type }) => type === "tool_use") ? "tool_use" : "end_turn"
  return stop_reason === "content_filter" ? "refusal" : stop_reason
}

const completeUsage = (usage: ReplyUsage | undefined, cached: CacheRead): Anthropic.Usage => {
  const given = usage !== undefined
  return {
    input_tokens: given ? 0 : 40,
    output_tokens: given ? 0 : 20,
    cache_creation_input_tokens: given || cached !== null ? 0 : 80,
    cache_read_input_tokens: given || cached === null ? 0 : 80,
    cache_creation: null,
    inference_geo: null,
    output_tokens_details: null,
    server_tool_use: null,
    service_tier: "standard",
    speed: null,
    ...usage
  }
}

/** The error body of the API. */
export const errorBody = ({ details, message, type }: ErrorBody, id: string) => ({
  type: "error",
  error: { type, message, ...(details === undefined ? {} : { details }) },
  request_id: id
})

const deltasOf = (block: Anthropic.ContentBlock): ReadonlyArray<Anthropic.RawContentBlockDelta> => {
  switch (block.type) {
    case "text":
      return pieces(block.text).map((text) => ({ type: "text_delta", text }))
    case "tool_use":
      return ["", ...pieces(JSON.stringify(block.input))].map((partial_json) => ({
        type: "input_json_delta",
        partial_json
      }))
    case "thinking":
      return [
        ...pieces(block.thinking).map((thinking) => ({ type: "thinking_delta" as const, thinking })),
        { type: "signature_delta", signature: block.signature }
      ]
    default:
      return []
  }
}

const opened = (block: Anthropic.ContentBlock): Anthropic.ContentBlock => {
  switch (block.type) {
    case "text":
      return { ...block, text: "" }
    case "tool_use":
      return { ...block, input: {} }
    case "thinking":
      return { ...block, thinking: "", signature: "" }
    default:
      return block
  }
}

/** The message as server-sent events: https://platform.claude.com/docs/en/build-with-claude/streaming */
export const streamEvents = (
  message: Anthropic.Message
): ReadonlyArray<Anthropic.RawMessageStreamEvent | { readonly type: "ping" }> => {
  const { usage, stop_reason, stop_sequence } = message
  return [
    {
      type: "message_start",
      message: {
        ...message,
        content: [],
        stop_reason: null,
        stop_sequence: null,
        usage: { ...usage, output_tokens: 1 }
      }
    },
    { type: "ping" },
    ...message.content.flatMap(
      (block, index): ReadonlyArray<Anthropic.RawMessageStreamEvent> => [
        { type: "content_block_start", index, content_block: opened(block) },
        ...deltasOf(block).map((delta) => ({ type: "content_block_delta" as const, index, delta })),
        { type: "content_block_stop", index }
      ]
    ),
    { type: "message_delta", delta: { container: null, stop_details: null, stop_reason, stop_sequence }, usage },
    { type: "message_stop" }
  ]
}

/** All text of the first user message. */
export const firstUserText = (request: MessagesRequest): string => {
  const content = request.messages[0]?.content ?? ""
  if (typeof content === "string") return content
  return content.flatMap((block) => (block.type === "text" ? [block.text] : [])).join("\n")
}

export const hasTool = (request: MessagesRequest, name: string): boolean =>
  request.tools?.some((tool) => "name" in tool && tool.name === name) === true
