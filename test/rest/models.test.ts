import { readFileSync } from "node:fs"
import { createServer } from "node:http"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { RestService } from "./RestService.ts"

/** What the original answered to `GET /tasks/models` without providers, and with a proxy (test/fixtures/golden/models.json). */

const Case = Schema.Struct({
  name: Schema.String,
  env: Schema.Record(Schema.String, Schema.String),
  proxyReply: Schema.NullOr(Schema.Struct({ status: Schema.Int, body: Schema.Json })),
  status: Schema.Int,
  contentType: Schema.String,
  body: Schema.String
})
const recordings = Schema.decodeUnknownSync(Schema.fromJsonString(Schema.Struct({ cases: Schema.Array(Case) })))(
  readFileSync(new URL("../fixtures/golden/models.json", import.meta.url), "utf8")
).cases

/** The lists of the vendors' models have moved on: the replay of rest.json names the recorded ones by BYTEBOT_MODELS. */
const cases = recordings.filter((one) => one.name === "no keys" || "BYTEBOT_LLM_PROXY_URL" in one.env)

/** Recorded with `//model/info`, which the proxy did not know; a slash at the end of the setting does no harm here. */
const mended: Readonly<Record<string, string>> = { "proxy trailing slash ok": "proxy ok" }

/** A proxy that knows `GET /model/info` alone. */
const proxy = (reply: typeof Case.Type.proxyReply) =>
  Effect.acquireRelease(
    Effect.callback<{ readonly url: string; readonly close: () => void }>((resume) => {
      const server = createServer((request, response) => {
        const known = request.method === "GET" && request.url === "/model/info" && reply !== null
        const body = typeof reply?.body === "string" ? reply.body : JSON.stringify(reply?.body)
        response.writeHead(known ? reply.status : 404, { "content-type": "application/json" }).end(known ? body : "{}")
      })
      server.listen(0, "127.0.0.1", () => {
        const address = server.address()
        const port = typeof address === "object" && address !== null ? address.port : 0
        resume(Effect.succeed({ url: `http://127.0.0.1:${port}`, close: () => server.close().closeAllConnections() }))
      })
    }),
    ({ close }) => Effect.sync(close)
  )

describe("Recorded models", () => {
  it.live.each(cases)("$name", ({ body, contentType, env, name, proxyReply, status }) =>
    Effect.gen(function* () {
      const { close, url } = yield* proxy(proxyReply)
      if (name === "proxy unreachable") close()
      const { BYTEBOT_LLM_PROXY_URL: given } = env
      const variables =
        given === undefined ? env : { ...env, BYTEBOT_LLM_PROXY_URL: given.replace(/^http:\/\/[^/]+/, url) }
      const answer = yield* Effect.flatMap(RestService, ({ send }) => send({ path: "/tasks/models" })).pipe(
        Effect.provide(RestService.layer(variables))
      )
      assert.strictEqual(answer.headers["content-type"], contentType)
      const better = recordings.find((one) => one.name === mended[name])
      if (better !== undefined || status !== 500) {
        assert.strictEqual(answer.text, (better ?? { body }).body)
        assert.strictEqual(answer.status, (better ?? { status }).status)
      } else {
        // The page asks for a 5xx with a clear message where the original shows an accident of its code.
        assert.strictEqual(answer.status, 502)
        assert.match(answer.text, /^\{"statusCode":502,"message":"Failed to fetch models from proxy: .+"\}$/)
        assert.notMatch(answer.text, /undefined|\bat \//)
      }
    })
  )
})
