import { assert, it, layer } from "@effect/vitest"
import { Context, Effect, Layer } from "effect"
import { toBody } from "../../src/models/OpenAIRequest.ts"
import type { ReplyBlock, Scripted } from "../emulators/modelReplies.ts"
import * as OpenAI from "../emulators/openai.ts"
import type { InputItem } from "../emulators/openaiItems.ts"
import type { ResponsesRequest } from "../emulators/openaiRequest.ts"
import { request } from "../support/RestClient.ts"
import { command, createTask, messagesOf, reset, Stage, untilStatus } from "../support/Stage.ts"
import { until } from "../support/Waiting.ts"

/** Tasks with OpenAI's models, through the real service and the emulated API. */

class Responses extends Context.Service<Responses, OpenAI.OpenAIEmulator>()("test/Responses") {
  static readonly layer = Layer.unwrap(
    Effect.map(OpenAI.scoped(), (openai) =>
      Layer.merge(
        Layer.succeed(Responses, openai),
        Stage.layer(
          {
            OPENAI_API_KEY: "test-key",
            OPENAI_BASE_URL: `${openai.url}/v1`,
            BYTEBOT_MODEL_FALLBACKS: "openai/gpt-6-luna",
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
    "/gif": { success: true, data: "R0lGODlh", name: "a.gif", size: 6, mediaType: "image/gif" },
    "/bmp": { success: true, data: "Qk0=", name: "a.bmp", size: 2, mediaType: "image/bmp" }
  }

const use = (name: string, input: unknown = {}, id?: string): ReplyBlock => ({
  type: "tool_use",
  name,
  input,
  ...(id === undefined ? {} : { id })
})
const say = (text: string): ReplyBlock => ({ type: "text", text })
const thought = (signature: string, thinking = "hm"): ReplyBlock => ({ type: "thinking", thinking, signature })
const calling = (...content: ReadonlyArray<ReplyBlock>): Scripted => ({ content })
const wait = (duration: number) => calling(use("computer_wait", { duration }))
const finish = calling(use("set_task_status", { status: "completed", description: "ok" }))

const model = (name: string) => ({ model: { provider: "openai", name } })
const modern = model("gpt-6.1-sol")

const start = Effect.gen(function* () {
  yield* reset
  const openai = yield* Responses
  openai.reset()
  return openai
})

const itemsOf = (call: { readonly body: ResponsesRequest } | undefined): ReadonlyArray<InputItem> =>
  typeof call?.body.input === "string" ? [] : (call?.body.input ?? [])
const outputsOf = (call: { readonly body: ResponsesRequest } | undefined) =>
  itemsOf(call).flatMap((item) => (item.type === "function_call_output" ? [item] : []))
const reasoningOf = (call: { readonly body: ResponsesRequest } | undefined) =>
  itemsOf(call).flatMap((item) => (item.type === "reasoning" ? [item] : []))
const kindOf = (item: InputItem): string => (item.type === undefined && "role" in item ? item.role : (item.type ?? ""))
const errors = Effect.map(Responses, ({ rejected }) => rejected.map(({ error }) => error))

layer(Responses.layer, { timeout: "60 seconds", excludeTestServices: true })("OpenAI", (test) => {
  test.effect("GPT-6.2 gets the prompt as its first item, as it reads instructions after everything else", () =>
    Effect.gen(function* () {
      const openai = yield* start
      openai.enqueue(calling(use("computer_screenshot", {})), finish)
      const id = yield* createTask("do it", { model: { provider: "openai", name: "gpt-6.2-sol", title: "any" } })
      yield* untilStatus(id, "COMPLETED")
      assert.deepStrictEqual(yield* errors, [])
      const last = openai.requests[1]
      assert.isUndefined(last?.body.instructions)
      assert.strictEqual(itemsOf(last).map(kindOf)[0], "developer")
      assert.isAbove(last?.cacheRead.cached ?? 0, 0)
    })
  )

  test.effect("a task from its words to its result: every call has one output, with what the screen shows", () =>
    Effect.gen(function* () {
      const openai = yield* start
      openai.enqueue(
        calling(say("I look"), use("computer_screenshot", {}, "call_1")),
        calling(use("computer_click_mouse", { button: "left", clickCount: 1 }), use("computer_cursor_position")),
        calling(use("computer_read_file", { path: "/nothing" })),
        finish
      )
      const id = yield* createTask("do it", modern)
      yield* untilStatus(id, "COMPLETED")
      assert.deepStrictEqual(yield* errors, [])
      const last = openai.requests[3]
      assert.deepInclude(last?.body, {
        model: "gpt-6.1-sol",
        store: false,
        tool_choice: "auto",
        include: ["reasoning.encrypted_content"],
        reasoning: { effort: "medium", summary: "auto" }
      })
      assert.include(last?.body.instructions, "1280 pixels")
      assert.deepStrictEqual(itemsOf(last).map(kindOf), [
        ...["user", "assistant", "function_call", "function_call_output"],
        ...["function_call", "function_call", "function_call_output", "function_call_output"],
        ...["function_call", "function_call_output"]
      ])
      assert.strictEqual(outputsOf(last)[0]?.call_id, "call_1")
      assert.deepStrictEqual(
        outputsOf(last).map(({ output }) => (Array.isArray(output) ? output.map(({ type }) => type) : output)),
        // The last result of a turn ends with the time.
        [
          ["input_image", "input_text"],
          ["input_text", "input_image"],
          ["input_text", "input_text"],
          ["input_text", "input_text"]
        ]
      )
      assert.deepInclude(JSON.parse(JSON.stringify(outputsOf(last)[0]?.output))[0], { detail: "original" })
    })
  )

  test.effect(
    "reasoning is stored as the original stores it, with its summary, and goes back encrypted where it stood",
    () =>
      Effect.gen(function* () {
        const openai = yield* start
        openai.enqueue(
          calling(thought("b25l", "first"), say("so"), thought("dHdv", ""), use("computer_screenshot")),
          calling(
            thought("dGhyZWU=", "third"),
            use("computer_wait", { duration: 1 }),
            use("computer_wait", { duration: 2 })
          ),
          finish
        )
        const id = yield* createTask("think", modern)
        yield* untilStatus(id, "COMPLETED")
        assert.deepStrictEqual(yield* errors, [])
        const [, reply] = yield* messagesOf(id)
        const [first, words, second] = reply?.content ?? []
        assert.deepStrictEqual(
          [first, words, second],
          [
            { type: "thinking", summary: "first", thinking: "b25l", signature: first?.signature },
            { text: "so", type: "text" },
            { type: "thinking", thinking: "dHdv", signature: second?.signature }
          ]
        )
        assert.match(`${first?.signature} ${second?.signature}`, /^rs_\w+ rs_\w+$/)
        const third = (yield* messagesOf(id))[3]?.content[0]
        const last = itemsOf(openai.requests[2])
        assert.deepStrictEqual(last.map(kindOf), [
          ...["user", "reasoning", "assistant", "reasoning", "function_call", "function_call_output"],
          ...["reasoning", "function_call", "function_call", "function_call_output", "function_call_output"]
        ])
        assert.deepStrictEqual<unknown>(reasoningOf(openai.requests[2]), [
          { type: "reasoning", summary: [{ type: "summary_text", text: "first" }], encrypted_content: "b25l" },
          { type: "reasoning", id: second?.signature, summary: [], encrypted_content: "dHdv" },
          {
            type: "reasoning",
            id: third?.signature,
            summary: [{ type: "summary_text", text: "third" }],
            encrypted_content: "dGhyZWU="
          }
        ])
        assert.deepInclude(last[2], { role: "assistant", content: "so", phase: "commentary" })
      })
  )

  test.effect("reasoning that led to nothing is not sent, and a model that says nothing is asked to go on", () =>
    Effect.gen(function* () {
      const openai = yield* start
      openai.enqueue({ content: [thought("bm90aGluZw==")], stop_reason: "max_tokens" }, calling(say("well")), finish)
      const id = yield* createTask("think long", modern)
      yield* untilStatus(id, "COMPLETED")
      assert.deepStrictEqual(yield* errors, [])
      assert.deepStrictEqual(reasoningOf(openai.requests[2]), [])
      const said = itemsOf(openai.requests[2]).find((item) => kindOf(item) === "assistant")
      assert.deepInclude(said, { content: "well", phase: "final_answer" })
    })
  )

  test.effect("a model that does not reason gets no parameters of reasoning, and none of another's", () =>
    Effect.gen(function* () {
      const openai = yield* start
      openai.enqueue(calling(say("hm"), use("computer_screenshot")), finish)
      const id = yield* createTask("plain", model("gpt-4.1-2025-04-14"))
      yield* untilStatus(id, "COMPLETED")
      assert.deepStrictEqual(yield* errors, [])
      for (const { body } of openai.requests) {
        assert.doesNotHaveAnyKeys(body, ["include", "reasoning", "temperature"])
        assert.isAtMost(body.max_output_tokens ?? 0, 16_384)
      }
      assert.deepInclude(JSON.parse(JSON.stringify(outputsOf(openai.requests[1])[0]?.output))[0], { detail: "high" })
      assert.notProperty(itemsOf(openai.requests[1])[1], "phase")
    })
  )

  test.effect("files: PDF as a file, pictures as pictures, the rest as text", () =>
    Effect.gen(function* () {
      const openai = yield* start
      openai.enqueue(calling(...Object.keys(files).map((path) => use("computer_read_file", { path }))), finish)
      const id = yield* createTask("read", modern)
      yield* untilStatus(id, "COMPLETED")
      assert.deepStrictEqual(yield* errors, [])
      assert.deepStrictEqual<unknown>(
        outputsOf(openai.requests[1]).map(({ output }) => (Array.isArray(output) ? output[0] : output)),
        [
          { type: "input_file", filename: "a.pdf", file_data: `data:application/pdf;base64,${pdf}` },
          { type: "input_text", text: "a.txt:\nhello" },
          { type: "input_image", image_url: "data:image/gif;base64,R0lGODlh", detail: "original" },
          { type: "input_text", text: "a.bmp:\nBM" }
        ]
      )
    })
  )

  test.effect("arguments that are no JSON come back to the model as an error", () =>
    Effect.gen(function* () {
      const openai = yield* start
      openai.enqueue(calling(use("computer_wait", '{"duration":')), finish)
      const id = yield* createTask("broken", modern)
      yield* untilStatus(id, "COMPLETED")
      assert.deepStrictEqual(yield* errors, [])
      assert.include(JSON.stringify(outputsOf(openai.requests[1])), "The input of computer_wait does not fit")
    })
  )

  test.effect("a message of the person follows the outputs", () =>
    Effect.gen(function* () {
      const openai = yield* start
      const { url } = yield* Stage
      const { promise, resolve } = Promise.withResolvers<void>()
      openai.enqueue(wait(1), async () => {
        await promise
        return { content: [use("computer_wait", { duration: 2 })] }
      })
      openai.enqueue(finish)
      const id = yield* createTask("listen", modern)
      yield* Effect.promise(() => openai.waitForRequest(2))
      yield* request(url, "POST", `/tasks/${id}/messages`, { message: "the blue one" })
      resolve()
      yield* untilStatus(id, "COMPLETED")
      assert.deepStrictEqual(yield* errors, [])
      assert.include(JSON.stringify(itemsOf(openai.requests[2])), "the blue one")
    })
  )

  test.effect("a conversation that another provider's model began is taken over, without its thoughts", () =>
    Effect.gen(function* () {
      const openai = yield* start
      const { model: anthropic } = yield* Stage
      anthropic.enqueue(calling({ type: "thinking", thinking: "mine" }, say("I look"), use("computer_screenshot")), {
        status: 529,
        error: { type: "overloaded_error", message: "Overloaded" }
      })
      openai.enqueue(calling(thought("b3du"), use("computer_wait", { duration: 1 })), finish)
      const id = yield* createTask("go on", { model: { provider: "anthropic", name: "claude-opus-5-5" } })
      yield* untilStatus(id, "COMPLETED")
      assert.deepStrictEqual(yield* errors, [])
      assert.deepStrictEqual(
        reasoningOf(openai.requests[1]).map(({ encrypted_content }) => encrypted_content),
        ["b3du"]
      )
      assert.include(JSON.stringify(openai.requests[1]?.body), "I look")
      assert.notInclude(JSON.stringify(openai.requests[1]?.body), "mine")
    })
  )

  test.effect("what a model reasoned is not shown to another one", () =>
    Effect.gen(function* () {
      const openai = yield* start
      openai.enqueue(
        calling(thought("c29s"), use("computer_wait", { duration: 1 })),
        { status: 503, error: { type: "overloaded_error", message: "busy" } },
        calling(thought("bHVuYQ=="), use("computer_wait", { duration: 2 })),
        finish
      )
      const id = yield* createTask("switch", modern)
      yield* untilStatus(id, "COMPLETED")
      assert.deepStrictEqual(yield* errors, [])
      assert.deepStrictEqual(
        openai.requests.map(({ body }) => body.model),
        ["gpt-6.1-sol", "gpt-6.1-sol", "gpt-6-luna", "gpt-6-luna"]
      )
      assert.deepStrictEqual(
        reasoningOf(openai.requests[3]).map(({ encrypted_content }) => encrypted_content),
        ["bHVuYQ=="]
      )
    })
  )

  test.effect("the prompt cache is hit: each request begins with the one before it, under the task's key", () =>
    Effect.gen(function* () {
      const openai = yield* start
      const { url } = yield* Stage
      openai.enqueue(wait(1), wait(2), finish)
      const id = yield* createTask("remember this", modern)
      yield* untilStatus(id, "COMPLETED")
      const [first, second, third] = openai.requests
      assert.strictEqual(first?.cacheRead.cached, 0)
      assert.isAbove(second?.cacheRead.cached ?? 0, 1024)
      assert.isAbove(third?.cacheRead.cached ?? 0, second?.cacheRead.cached ?? 0)
      const usage = JSON.stringify((yield* request(url, "GET", `/tasks/${id}/usage`)).json)
      const input = openai.requests.reduce((sum, { cacheRead }) => sum + cacheRead.input, 0)
      const cached = openai.requests.reduce((sum, { cacheRead }) => sum + cacheRead.cached, 0)
      assert.include(
        usage,
        `"total":{"calls":3,"tokens":{"input":${input},"output":60,"cacheRead":${cached},"cacheWrite":${input - cached}}`
      )
    })
  )

  test.effect("a cancelled task's call is aborted", () =>
    Effect.gen(function* () {
      const openai = yield* start
      openai.enqueue({ hang: true })
      const id = yield* createTask("stop", modern)
      yield* Effect.promise(() => openai.waitForRequest(1))
      assert.strictEqual(yield* command(id, "cancel"), 200)
      yield* Effect.promise(() => openai.waitFor(([first]) => first?.aborted))
    })
  )

  test.effect("the models on offer are those that OpenAI lists and that can use a computer", () =>
    Effect.gen(function* () {
      yield* start
      const { url } = yield* Stage
      const names = yield* until(
        "OpenAI's list",
        Effect.map(request(url, "GET", "/tasks/models"), ({ json }) => {
          const found = [...JSON.stringify(json).matchAll(/"name":"((?:gpt|o\d|t)[^"]*)"/g)].map(([, name]) => name)
          return found.includes("o3-2025-04-16") ? found : undefined
        })
      )
      assert.deepStrictEqual(names, [
        ...["gpt-6.1-sol", "gpt-6-astra", "gpt-6.1-terra", "gpt-6-luna", "gpt-5.6-sol"],
        ...["gpt-4.1-2025-04-14", "o3-2025-04-16"]
      ])
    })
  )
})

it("reasoning as an earlier version stored it, encrypted in the signature, goes back too", () => {
  const content = [
    { type: "thinking", thinking: "hm", signature: "gAAAA" },
    { text: "so", type: "text" }
  ] as const
  const { input } = toBody(
    { model: "gpt-6.1-sol", system: "", turns: [{ role: "assistant", content }], tools: [], toolChoice: "auto" },
    { earlier: true, summary: true }
  )
  assert.deepStrictEqual<unknown>(input[0], {
    type: "reasoning",
    summary: [{ type: "summary_text", text: "hm" }],
    encrypted_content: "gAAAA"
  })
})
