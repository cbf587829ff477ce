import { createServer, type IncomingMessage } from "node:http"
import { Effect } from "effect"

/** A server that answers at once whatever it is asked, and does nothing else: what is measured is the service alone. */

const bodyOf = async (request: IncomingMessage): Promise<Buffer> => {
  const chunks: Array<Buffer> = []
  for await (const chunk of request) chunks.push(chunk)
  return Buffer.concat(chunks)
}

/** On a free port of 127.0.0.1, until the scope closes; `answer` gives the JSON text for a request's body, or has it wait. */
export const instantServer = (answer: (body: Buffer, path: string) => string | Promise<string>) =>
  Effect.acquireRelease(
    Effect.callback<{ readonly url: string; readonly close: () => void }>((resume) => {
      const server = createServer((request, response) => {
        void bodyOf(request)
          .then((body) => answer(body, request.url ?? ""))
          .then((text) => response.writeHead(200, { "content-type": "application/json" }).end(text))
          // The client has broken off.
          .catch(() => response.destroy())
      }).listen(0, "127.0.0.1", () => {
        const address = server.address()
        const port = typeof address === "object" && address !== null ? address.port : 0
        const close = () => {
          server.close()
          server.closeAllConnections()
        }
        resume(Effect.succeed({ url: `http://127.0.0.1:${port}`, close }))
      })
    }),
    ({ close }) => Effect.sync(close)
  )

/** An answer of Anthropic's Messages API with one tool_use. */
export const toolUse = (id: string, name: string, input: unknown): string =>
  JSON.stringify({
    id: "msg_1",
    type: "message",
    role: "assistant",
    model: "instant",
    content: [{ type: "tool_use", id, name, input }],
    stop_reason: "tool_use",
    stop_sequence: null,
    usage: { input_tokens: 100, output_tokens: 10 }
  })
