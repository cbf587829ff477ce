import { assert, layer } from "@effect/vitest"
import type { Part } from "@google/genai"
import { Context, Effect, Layer } from "effect"
import * as Google from "../emulators/google.ts"
import type { GenerateContentRequest } from "../emulators/googleRequest.ts"
import { callsOf, responsesOf } from "../emulators/googleTurns.ts"
import type { ReplyBlock, Scripted } from "../emulators/modelReplies.ts"
import { request } from "../support/RestClient.ts"
import { command, createTask, messagesOf, reset, Stage, untilStatus } from "../support/Stage.ts"
import { until } from "../support/Waiting.ts"

/** Tasks with Google's models, through the real service and the emulated API. */

class Gemini extends Context.Service<Gemini, Google.GoogleEmulator>()("test/Gemini") {
  static readonly layer = Layer.unwrap(
    Effect.map(Google.scoped(), (google) =>
      Layer.merge(
        Layer.succeed(Gemini, google),
        Stage.layer(
          {
            GEMINI_API_KEY: "test-key",
            GOOGLE_GEMINI_BASE_URL: google.url,
            BYTEBOT_MODEL_FALLBACKS: "google/gemini-3.8-flash",
            BYTEBOT_MODEL_FALLBACK_AFTER: "0"
          },
          { readFile: (path) => files[path] ?? { success: false, message: "no such file" } }
        )
      )
    )
  )
}

const pdf = Buffer.from("%PDF-1.7\n").toString("base64")
const files: Readonly<Record<string, { success: true; data: string; name: string; size: number; mediaType: string }>> =
  {
    "/pdf": { success: true, data: pdf, name: "a.pdf", size: 9, mediaType: "application/pdf" },
    "/text": { success: true, data: "aGVsbG8=", name: "a.txt", size: 5, mediaType: "text/plain" },
    "/gif": { success: true, data: "R0lGODlh", name: "a.gif", size: 6, mediaType: "image/gif" }
  }

const use = (name: string, input: unknown = {}, id?: string): ReplyBlock => ({
  type: "tool_use",
  name,
  input,
  ...(id === undefined ? {} : { id })
})
const thought = (signature: string): ReplyBlock => ({ type: "thinking", thinking: "hm", signature })
const calling = (...content: ReadonlyArray<ReplyBlock>): Scripted => ({ content })
const wait = (duration: number) => calling(use("computer_wait", { duration }))
const finish = calling(use("set_task_status", { status: "completed", description: "ok" }))
const signature = (text: string) => Buffer.from(text).toString("base64")

const model = (name: string) => ({ model: { provider: "google", name } })
const modern = model("gemini-3.8-flash")

const start = Effect.gen(function* () {
  yield* reset
  const google = yield* Gemini
  google.reset()
  return google
})

const contentsOf = (call: { readonly body: GenerateContentRequest } | undefined) => call?.body.contents ?? []
const partsOf = (call: { readonly body: GenerateContentRequest } | undefined): ReadonlyArray<Part> =>
  contentsOf(call).flatMap(({ parts = [] }) => parts)
const errors = Effect.map(Gemini, ({ rejected }) => rejected.map(({ error }) => error))

layer(Gemini.layer, { timeout: "60 seconds", excludeTestServices: true })("Google", (test) => {
  test.effect("a task from its words to its result: every call is answered once, with what the screen shows", () =>
    Effect.gen(function* () {
      const google = yield* start
      google.enqueue(
        calling({ type: "text", text: "I look" }, use("computer_screenshot", {}, "g1")),
        calling(use("computer_click_mouse", { button: "left", clickCount: 1 }), use("computer_cursor_position")),
        calling(use("computer_read_file", { path: "/pdf" }), use("computer_read_file", { path: "/nothing" })),
        finish
      )
      const id = yield* createTask("do it", modern)
      yield* untilStatus(id, "COMPLETED")
      assert.deepStrictEqual(yield* errors, [])
      assert.deepStrictEqual(
        google.requests.map(({ url }) => url),
        Array.from({ length: 4 }, () => "/v1beta/models/gemini-3.8-flash:streamGenerateContent?alt=sse")
      )
      const last = contentsOf(google.requests[3])
      assert.deepStrictEqual(
        last.map(({ role }) => role),
        ["user", "model", "user", "model", "user", "model", "user"]
      )
      assert.include(JSON.stringify(google.requests[0]?.body.systemInstruction), "1280 pixels")
      const [looked, clicked, read] = [2, 4, 6].map((index) => responsesOf(last[index]))
      const kinds = (responses: typeof looked) =>
        responses?.map(({ name, parts, response }) => [
          name,
          Object.keys(response ?? {}),
          parts?.map(({ inlineData }) => inlineData?.mimeType)
        ])
      assert.deepStrictEqual(kinds(looked), [["computer_screenshot", ["output"], ["image/png"]]])
      assert.deepStrictEqual(kinds(clicked), [
        ["computer_click_mouse", ["output"], ["image/png"]],
        ["computer_cursor_position", ["output"], undefined]
      ])
      assert.deepStrictEqual(kinds(read), [
        ["computer_read_file", ["output"], ["application/pdf"]],
        ["computer_read_file", ["error"], undefined]
      ])
      assert.strictEqual(looked?.[0]?.id, "g1")
      assert.strictEqual(new Set(last.flatMap((content) => callsOf(content).map((call) => call.id))).size, 5)
    })
  )

  test.effect("thought signatures are stored in front of what they came with, and go back in the same part", () =>
    Effect.gen(function* () {
      const google = yield* start
      const [first, second, third] = ["one", "two", "three"].map(signature)
      google.enqueue(
        calling(thought(first ?? ""), { type: "text", text: "so" }, thought(second ?? ""), use("computer_screenshot")),
        calling(thought(third ?? ""), use("computer_wait", { duration: 1 }), use("computer_wait", { duration: 2 })),
        finish
      )
      const id = yield* createTask("think", modern)
      yield* untilStatus(id, "COMPLETED")
      assert.deepStrictEqual(yield* errors, [])
      assert.deepStrictEqual(
        (yield* messagesOf(id))
          .filter(({ role }) => role === "ASSISTANT")
          .slice(0, 2)
          .map(({ content }) => content.map(({ signature, type }) => signature ?? type)),
        [
          [first, "text", second, "tool_use"],
          [third, "tool_use", "tool_use"]
        ]
      )
      assert.deepStrictEqual(
        contentsOf(google.requests[2])
          .filter(({ role }) => role === "model")
          .map(({ parts }) => parts?.map(({ thoughtSignature }) => thoughtSignature)),
        [
          [first, second],
          [third, undefined]
        ]
      )
    })
  )

  test.effect("older models see the screen in a content after the responses, and need no signatures", () =>
    Effect.gen(function* () {
      const google = yield* start
      google.enqueue(calling(use("computer_screenshot"), use("computer_wait", { duration: 1 })), finish)
      const id = yield* createTask("old", model("gemini-2.5-pro"))
      yield* untilStatus(id, "COMPLETED")
      assert.deepStrictEqual(yield* errors, [])
      const [, calls, responses, pictures] = contentsOf(google.requests[1])
      assert.deepStrictEqual(
        [calls, responses, pictures].map((content) => content?.parts?.map((part) => Object.keys(part).join())),
        [
          ["functionCall", "functionCall"],
          ["functionResponse", "functionResponse"],
          ["text", "inlineData", "text", "inlineData"]
        ]
      )
      assert.notInclude(JSON.stringify(yield* messagesOf(id)), `"thinking"`)
    })
  )

  test.effect("files: text as text, what Google can't read in words", () =>
    Effect.gen(function* () {
      const google = yield* start
      google.enqueue(
        calling(use("computer_read_file", { path: "/text" }), use("computer_read_file", { path: "/gif" })),
        finish
      )
      const id = yield* createTask("read", modern)
      yield* untilStatus(id, "COMPLETED")
      assert.deepStrictEqual(yield* errors, [])
      const [text] = responsesOf(contentsOf(google.requests[1])[2])
      assert.deepStrictEqual(text?.response, { output: "a.txt:\nhello" })
    })
  )

  test.effect("a message of the person follows the responses in a content of its own", () =>
    Effect.gen(function* () {
      const google = yield* start
      const { url } = yield* Stage
      const { promise, resolve } = Promise.withResolvers<void>()
      google.enqueue(wait(1), async () => {
        await promise
        return { content: [use("computer_wait", { duration: 2 })] }
      })
      google.enqueue(finish)
      const id = yield* createTask("listen", modern)
      yield* Effect.promise(() => google.waitForRequest(2))
      yield* request(url, "POST", `/tasks/${id}/messages`, { message: "the blue one" })
      resolve()
      yield* untilStatus(id, "COMPLETED")
      assert.deepStrictEqual(yield* errors, [])
      assert.deepStrictEqual(contentsOf(google.requests[2])[3]?.parts?.[0], { text: "the blue one" })
    })
  )

  test.effect("a conversation that another provider's model began is taken over", () =>
    Effect.gen(function* () {
      const google = yield* start
      const { model: anthropic } = yield* Stage
      anthropic.enqueue(calling({ type: "thinking", thinking: "mine" }, use("computer_screenshot")), {
        status: 529,
        error: { type: "overloaded_error", message: "Overloaded" }
      })
      google.enqueue(wait(1), finish)
      const id = yield* createTask("go on", { model: { provider: "anthropic", name: "claude-opus-5-5" } })
      yield* untilStatus(id, "COMPLETED")
      assert.deepStrictEqual(yield* errors, [])
      assert.deepStrictEqual(
        partsOf(google.requests[1])
          .filter(({ functionCall }) => functionCall !== undefined)
          .map(({ thoughtSignature }) => thoughtSignature === "skip_thought_signature_validator"),
        [true, false]
      )
      assert.notInclude(JSON.stringify(google.requests[1]?.body), "mine")
    })
  )

  test.effect("what the calls used, thoughts and the cache included", () =>
    Effect.gen(function* () {
      const google = yield* start
      const { url } = yield* Stage
      google.enqueue({ content: [thought(signature("t")), use("computer_wait", { duration: 1 })] }, finish)
      const id = yield* createTask("count", modern)
      yield* untilStatus(id, "COMPLETED")
      const usage = yield* request(url, "GET", `/tasks/${id}/usage`)
      assert.include(
        JSON.stringify(usage.json),
        `"total":{"calls":2,"tokens":{"input":240,"output":40,"cacheRead":80,"cacheWrite":0},"cost":0.000552,`
      )
    })
  )

  test.effect("a cancelled task's call is aborted", () =>
    Effect.gen(function* () {
      const google = yield* start
      google.enqueue({ hang: true })
      const id = yield* createTask("stop", modern)
      yield* Effect.promise(() => google.waitForRequest(1))
      assert.strictEqual(yield* command(id, "cancel"), 200)
      yield* Effect.promise(() => google.waitFor(([first]) => first?.aborted))
    })
  )

  test.effect("the models on offer are those that Google lists and that can use a computer", () =>
    Effect.gen(function* () {
      yield* start
      const { url } = yield* Stage
      const names = yield* until(
        "Google's list",
        Effect.map(request(url, "GET", "/tasks/models"), ({ json }) => {
          const found = [...JSON.stringify(json).matchAll(/"name":"(gem[^"]*)"/g)].map(([, name]) => name)
          return found.includes("gemini-2.5-pro") ? found : undefined
        })
      )
      assert.deepStrictEqual(names, ["gemini-4-argon", "gemini-3.8-flash", "gemini-2.5-pro"])
    })
  )
})
