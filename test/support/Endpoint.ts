import { createServer } from "node:http"
import { Effect } from "effect"

/** JSON by method and path, such as `GET /v1/models`. */
export type Answers = Readonly<Record<string, unknown>>

/** The URL of a server that knows the given paths and nothing else, until the scope closes. */
export const endpoint = (answers: Answers) =>
  Effect.map(
    Effect.acquireRelease(
      Effect.callback<{ readonly url: string; readonly close: () => void }>((resume) => {
        const server = createServer((incoming, response) => {
          const known = answers[`${incoming.method} ${incoming.url}`]
          incoming.resume()
          response.writeHead(known === undefined ? 404 : 200, { "content-type": "application/json" })
          response.end(JSON.stringify(known ?? { error: { message: "not found" } }))
        })
        server.listen(0, "127.0.0.1", () => {
          const address = server.address()
          const port = typeof address === "object" && address !== null ? address.port : 0
          resume(Effect.succeed({ url: `http://127.0.0.1:${port}`, close: () => server.close().closeAllConnections() }))
        })
      }),
      ({ close }) => Effect.sync(close)
    ),
    ({ url }) => url
  )
