import type { ServerResponse } from "node:http"
import type Anthropic from "@anthropic-ai/sdk"
import { streamEvents } from "./anthropicReplies.ts"
import { pause, untilGone } from "./httpServer.ts"
import type { MessageReply } from "./modelReplies.ts"

/** Answers that take more than a line. */

/** Sends the message as server-sent events, stopping early where the reply says so. */
export const stream = async (
  reply: MessageReply,
  message: Anthropic.Message,
  response: ServerResponse,
  gone: AbortSignal
) => {
  response.writeHead(200, { "content-type": "text/event-stream; charset=utf-8", "cache-control": "no-cache" })
  for (const [i, event] of streamEvents(message).entries()) {
    if (gone.aborted) return
    if (reply.stopAfter?.events === i) {
      const { then } = reply.stopAfter
      if (then === "hang") return untilGone(gone)
      if (then === "drop") return void response.destroy()
      response.end(`event: error\ndata: ${JSON.stringify({ type: "error", error: then })}\n\n`)
      return
    }
    response.write(`event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`)
    await pause(reply.chunkDelayMs ?? 0, gone)
  }
  response.end()
}

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
