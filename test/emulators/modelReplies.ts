import { randomBytes } from "node:crypto"
import { isRecord } from "./httpServer.ts"

/**
 * What a test says the model shall answer, in words that no provider owns: the same script goes to every model emulator,
 * which puts it into its provider's shape.
 */

export type ReplyBlock =
  | { readonly type: "text"; readonly text: string }
  | { readonly type: "tool_use"; readonly id?: string; readonly name: string; readonly input: unknown }
  | { readonly type: "thinking"; readonly thinking: string; readonly signature?: string }
  | { readonly type: "redacted_thinking"; readonly data: string }

/** `type` is the provider's own, or Anthropic's, which the others translate; `code` and `param` are OpenAI's, `details` Google's and Anthropic's. */
export interface ErrorBody {
  readonly type: string
  readonly message: string
  readonly code?: string | null
  readonly param?: string | null
  readonly details?: unknown
}

/** Tokens of one call; `input_tokens` are those that the cache had no part in. */
export interface ReplyUsage {
  readonly input_tokens?: number
  readonly output_tokens?: number
  readonly cache_read_input_tokens?: number
  readonly cache_creation_input_tokens?: number
}

export type StopReason = "end_turn" | "tool_use" | "max_tokens" | "stop_sequence" | "refusal" | "content_filter"

/** An answer of the model. */
export interface MessageReply {
  readonly content: ReadonlyArray<ReplyBlock>
  /** Default: 120 input tokens, cached as far as the provider's rules have it, and 20 output tokens. */
  readonly usage?: ReplyUsage
  /** Default: tool_use when a block asks for a tool, else end_turn. */
  readonly stop_reason?: StopReason
  readonly stop_sequence?: string
  /** Default: the model of the request. */
  readonly model?: string
  /** Time before the first byte, ms. */
  readonly delayMs?: number
  /** false: sent at once, though the request wants a stream, as some gateways do. */
  readonly streams?: false
  /** Streaming only: time between events, ms. */
  readonly chunkDelayMs?: number
  /**
   * Streaming only: what happens after that many events. `drop`: the connection is cut, `end`: it ends as if all was said, `garbage`: an
   * event that is no JSON; an error is sent as the API tells one within a stream.
   */
  readonly stopAfter?: { readonly events: number; readonly ending: "drop" | "end" | "garbage" | "hang" | ErrorBody }
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
  /** Whether the request offers the model this tool. */
  readonly offers: (tool: string) => boolean
}

/**
 * A reply, or a function making one from the request's body; it may be a promise, so that a test can hold the model back. One that
 * reads no body (the default) fits every emulator.
 */
export type Scripted<Body = unknown> = Reply | ((request: Body, context: ReplyContext) => Reply | Promise<Reply>)

/** Whether a value from outside (POST /__script) is a reply. */
export const isReply = (value: unknown): value is Reply =>
  isRecord(value) &&
  (Array.isArray(value.content) ||
    (typeof value.status === "number" && isRecord(value.error)) ||
    value.drop === true ||
    value.hang === true ||
    "raw" in value)

/** The usual default: the task is done; a text for requests that offer no such tool (summaries). */
export const completedReply: Scripted = (_request, { offers }) =>
  offers("set_task_status")
    ? {
        content: [
          { type: "tool_use", name: "set_task_status", input: { status: "completed", description: "All done" } }
        ]
      }
    : { content: [{ type: "text", text: "A summary of the conversation so far." }] }

/** A new id as providers make them, e.g. msg_01Ab… */
export const identifier = (prefix: string): string =>
  `${prefix}_01${randomBytes(16).toString("base64url").replace(/[-_]/g, "x")}`
