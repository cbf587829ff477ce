import type { ServerResponse } from "node:http"
import type Anthropic from "@anthropic-ai/sdk"
import { streamEvents } from "./anthropicReplies.ts"
import { frame, sendFrames } from "./eventStream.ts"
import type { MessageReply } from "./modelReplies.ts"

/** Answers that take more than a line. */

/** Sends the message as server-sent events, stopping early where the reply says so. */
export const stream = (reply: MessageReply, message: Anthropic.Message, response: ServerResponse, gone: AbortSignal) =>
  sendFrames(
    reply,
    streamEvents(message).map((event) => frame(event, event.type)),
    ({ message: words, type }) => frame({ type: "error", error: { type, message: words } }, "error"),
    response,
    gone
  )

/** A model of GET /v1/models. */
export const modelInfo = (id: string) => ({
  type: "model",
  id,
  display_name: id,
  created_at: "2026-01-01T00:00:00Z",
  capabilities: null,
  deprecated_at: null,
  lifecycle: "active",
  line: null,
  max_input_tokens: 200000,
  max_tokens: 64000,
  retires_at: null
})
