import type { ServerResponse } from "node:http"
import { pause, untilGone } from "./httpServer.ts"
import type { ErrorBody, MessageReply } from "./modelReplies.ts"

/** Answers as server-sent events, as the models' providers stream them. */

/** Text in pieces, as models write it. */
export const pieces = (text: string): ReadonlyArray<string> => text.match(/.{1,16}/gsu) ?? []

/** An event with its data as JSON; without a name where the API gives none. */
export const frame = (data: unknown, name?: string): string =>
  `${name === undefined ? "" : `event: ${name}\n`}data: ${JSON.stringify(data)}\n\n`

/** Sends the frames, stopping early where the reply says so. `errorFrame` is how the API tells an error within a stream. */
export const sendFrames = async (
  reply: MessageReply,
  frames: ReadonlyArray<string>,
  errorFrame: (error: ErrorBody) => string,
  response: ServerResponse,
  gone: AbortSignal
): Promise<void> => {
  response.writeHead(200, { "content-type": "text/event-stream; charset=utf-8", "cache-control": "no-cache" })
  // The answer's headers come before its first event.
  response.flushHeaders()
  for (const [i, text] of frames.entries()) {
    if (gone.aborted) return
    if (reply.stopAfter?.events === i) {
      const { ending } = reply.stopAfter
      if (ending === "hang") return untilGone(gone)
      if (ending === "drop") return void response.destroy()
      if (ending === "end") return void response.end()
      if (ending === "garbage") return void response.end('data: {"type":\n\n')
      return void response.end(errorFrame(ending))
    }
    response.write(text)
    await pause(reply.chunkDelayMs ?? 0, gone)
  }
  response.end()
}
