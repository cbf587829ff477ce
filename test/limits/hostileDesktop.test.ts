import { createServer, type ServerResponse } from "node:http"
import { assert, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import * as Anthropic from "../emulators/anthropic.ts"
import { decodeTask, request } from "../support/RestClient.ts"
import { startService } from "../support/TestService.ts"
import { until } from "../support/Waiting.ts"

/** A daemon that answers a screenshot so. */
const desktopWith = (answer: (response: ServerResponse) => void) =>
  Effect.acquireRelease(
    Effect.callback<{ readonly url: string; readonly close: () => void }>((resume) => {
      const server = createServer((incoming, response) => {
        let body = ""
        incoming.on("data", (chunk) => {
          body += String(chunk)
        })
        incoming.on("end", () => (body.includes("screenshot") ? answer(response) : response.end("{}")))
      }).listen(0, "127.0.0.1", () => {
        const address = server.address()
        const close = () => {
          server.closeAllConnections()
          server.close()
        }
        resume(Effect.succeed({ url: `http://127.0.0.1:${typeof address === "object" ? address?.port : 0}`, close }))
      })
    }),
    ({ close }) => Effect.sync(close)
  )

const json = (response: ServerResponse, body: string) =>
  response.writeHead(200, { "content-type": "application/json" }).end(body)

const decodeResults = Schema.decodeUnknownSync(
  Schema.Array(Schema.Struct({ content: Schema.Array(Schema.Record(Schema.String, Schema.Json)) }))
)

/** What a desktop that can't be trusted may answer: no picture, one that is too large, and an answer without an end. */
const answers: ReadonlyArray<{ readonly name: string; readonly answer: (response: ServerResponse) => void }> = [
  { name: "no PNG", answer: (response) => json(response, '{"image":"R0lGODlhAQABAAAAACw="}') },
  { name: "no JSON", answer: (response) => json(response, "<html>") },
  {
    name: "over 32 MB",
    answer: (response) => json(response, `{"image":"iVBORw0KGgo${"A".repeat(46 * 1024 * 1024)}"}`)
  },
  {
    name: "endless",
    answer: (response) => {
      const chunk = Buffer.alloc(1024 * 1024, "A")
      const more = () => {
        while (!response.destroyed && response.write(chunk)) {
          // As fast as it is taken.
        }
      }
      response.on("drain", more)
      response.writeHead(200, { "content-type": "application/json" })
      response.write('{"image":"iVBORw0KGgo')
      more()
    }
  }
]

it.live.each(answers)(
  "a screenshot that is $name is an error for the model and affects nothing else",
  ({ answer }) =>
    Effect.gen(function* () {
      const model = yield* Anthropic.scoped()
      const desktop = yield* desktopWith(answer)
      const { url } = yield* startService({
        ANTHROPIC_API_KEY: "any",
        ANTHROPIC_BASE_URL: model.url,
        BYTEBOT_DESKTOP_BASE_URL: desktop.url
      })
      model.script("look", { content: [{ type: "tool_use", name: "computer_screenshot", input: {} }] })
      const { json: created } = yield* request(url, "POST", "/tasks", { description: "look" })
      const { id } = decodeTask(created)
      yield* until(
        "the task is over",
        Effect.map(request(url, "GET", `/tasks/${id}`), ({ json: task }) =>
          decodeTask(task).status === "COMPLETED" ? true : undefined
        ),
        "40 seconds"
      )
      const messages = decodeResults((yield* request(url, "GET", `/tasks/${id}/messages?limit=100`)).json)
      const results = messages.flatMap(({ content }) => content.filter(({ type }) => type === "tool_result"))
      assert.strictEqual(results[0]?.is_error, true)
      assert.isBelow(JSON.stringify(results).length, 2_000)
    }).pipe(Effect.scoped),
  60_000
)
