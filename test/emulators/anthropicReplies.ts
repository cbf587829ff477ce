import { randomBytes } from "node:crypto"
import type Anthropic from "@anthropic-ai/sdk"
import type { MessagesRequest } from "./anthropicRequest.ts"
import { isRecord } from "./httpServer.ts"

/** What a test says the model shall answer, and how that becomes a complete answer of the API. */

export type ReplyBlock =
  | { readonly type: "text"; readonly text: string }
  | { readonly type: "tool_use"; readonly id?: string; readonly name: string; readonly input: unknown }
  | { readonly type: "thinking"; readonly thinking: string; readonly signature?: string }
  | { readonly type: "redacted_thinking"; readonly data: string }

export interface ErrorBody {
  readonly type: string
  readonly message: string
}

/** An answer of the model. */
export interface MessageReply {
  readonly content: ReadonlyArray<ReplyBlock>
  /** Default: 120 input tokens, 80 of them cached as the request's breakpoints have it, and 20 output tokens. */
  readonly usage?: Partial<Anthropic.Usage>
  /** Default: tool_use when a block asks for a tool, else end_turn. */
  readonly stop_reason?: Anthropic.StopReason
  readonly stop_sequence?: string
  /** Default: the model of the request. */
  readonly model?: string
  /** Time before the first byte, ms. */
  readonly delayMs?: number
  /** Streaming only: time between events, ms. */
  readonly chunkDelayMs?: number
  /** Streaming only: what happens after that many events; an error is sent as the stream's `error` event. */
  readonly stopAfter?: { readonly events: number; readonly then: "drop" | "hang" | ErrorBody }
}

/** An answer with an error status, in the API's error shape. */
export interface ErrorReply {
  readonly status: number
  readonly error: ErrorBody
  readonly headers?: Readonly<Record<string, string>>
  readonly delayMs?: number
}

/** The connection is cut without an answer. */
export interface DropReply {
  readonly drop: true
  readonly delayMs?: number
}

/** No answer until the client goes away. */
export interface HangReply {
  readonly hang: true
}

/** Exactly this body: for answers that the real API should not give, e.g. a proxy's HTML page. */
export interface RawReply {
  readonly raw: unknown
  readonly status?: number
  readonly headers?: Readonly<Record<string, string>>
  readonly delayMs?: number
}

export type Reply = MessageReply | ErrorReply | DropReply | HangReply | RawReply

export interface ReplyContext {
  /** How many requests came before this one. */
  readonly index: number
  /** Aborted when the client goes away. */
  readonly gone: AbortSignal
}

/** A reply, or a function making one from the request; it may be a promise, so that a test can hold the model back. */
export type Scripted = Reply | ((request: MessagesRequest, context: ReplyContext) => Reply | Promise<Reply>)

/** Whether a value from outside (POST /__script) is a reply. */
export const isReply = (value: unknown): value is Reply =>
  isRecord(value) &&
  (Array.isArray(value.content) ||
    (typeof value.status === "number" && isRecord(value.error)) ||
    value.drop === true ||
    value.hang === true ||
    "raw" in value)

/** Which part of the prompt was already in the cache. */
export type CacheRead = "messages" | "system" | "tools" | null

const identifier = (prefix: string): string =>
  `${prefix}_01${randomBytes(16).toString("base64url").replace(/[-_]/g, "x")}`

export const requestId = (): string => identifier("req")

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
  stop_reason: reply.stop_reason ?? (reply.content.some(({ type }) => type === "tool_use") ? "tool_use" : "end_turn"),
  stop_sequence: reply.stop_sequence ?? null,
  stop_details: null,
  container: null,
  diagnostics: null,
  usage: completeUsage(reply.usage, cached)
})

const completeUsage = (usage: Partial<Anthropic.Usage> | undefined, cached: CacheRead): Anthropic.Usage => {
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
export const errorBody = ({ type, message }: ErrorBody, id: string) => ({
  type: "error",
  error: { type, message },
  request_id: id
})

const pieces = (text: string): ReadonlyArray<string> => text.match(/.{1,16}/gsu) ?? []

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

const hasTool = (request: MessagesRequest, name: string): boolean =>
  request.tools?.some((tool) => "name" in tool && tool.name === name) === true

/** The usual default: the task is done; a text for requests that offer no such tool (summaries). */
export const completedReply = (request: MessagesRequest): MessageReply =>
  hasTool(request, "set_task_status")
    ? {
        content: [
          { type: "tool_use", name: "set_task_status", input: { status: "completed", description: "All done" } }
        ]
      }
    : { content: [{ type: "text", text: "A summary of the conversation so far." }] }
