import { assert, layer } from "@effect/vitest"
import { Context, Effect, Layer, Schema } from "effect"
import type { Scripted } from "../emulators/modelReplies.ts"
import * as Proxy from "../emulators/proxy.ts"
import type { ChatRequest } from "../emulators/proxyRequest.ts"
import { request } from "../support/RestClient.ts"
import { createTask, messagesOf, reset, Stage, untilStatus } from "../support/Stage.ts"

/** Tasks through an OpenAI-compatible proxy: LiteLLM, and endpoints that are less exact. */

class Gateway extends Context.Service<Gateway, Proxy.ProxyEmulator>()("test/Gateway") {
  static readonly layer = (
    options: Proxy.ProxyOptions,
    settings: (url: string) => Readonly<Record<string, string>>,
    files?: Parameters<typeof Stage.layer>[1]
  ) =>
    Layer.unwrap(
      Effect.map(Proxy.scoped(options), (proxy) =>
        Layer.merge(Layer.succeed(Gateway, proxy), Stage.layer(settings(proxy.url), files))
      )
    )
}

const start = Effect.gen(function* () {
  yield* reset
  const proxy = yield* Gateway
  proxy.reset()
  return proxy
})

const calling = (...uses: ReadonlyArray<readonly [name: string, input: unknown]>): Scripted => ({
  content: uses.map(([name, input]) => ({ type: "tool_use", name, input }))
})
const model = (name: string) => ({ model: { provider: "proxy", name, title: name } })
const roles = (body: ChatRequest | undefined) => body?.messages.map(({ role }) => role)
const errors = Effect.map(Gateway, ({ rejected }) => rejected.map(({ error }) => error))
const Message = Schema.Struct({ role: Schema.String, content: Schema.Json })
const decodeMessages = Schema.decodeUnknownSync(Schema.Array(Message))

const files = {
  readFile: (path: string) =>
    path === "/pdf"
      ? {
          success: true as const,
          data: Buffer.from("%PDF-1.7\n").toString("base64"),
          name: "a.pdf",
          size: 9,
          mediaType: "application/pdf"
        }
      : { success: true as const, data: "aGVsbG8=", name: "a.txt", size: 5, mediaType: "text/plain" }
}

layer(
  Gateway.layer(
    { apiKey: "right" },
    (url) => ({ BYTEBOT_LLM_PROXY_URL: url, BYTEBOT_LLM_PROXY_API_KEY: "right" }),
    files
  ),
  {
    timeout: "60 seconds",
    excludeTestServices: true
  }
)("a proxy", (test) => {
  test.effect("parallel calls are one message, each is answered by its own, and then the model sees the screen", () =>
    Effect.gen(function* () {
      const proxy = yield* start
      proxy.enqueue(
        calling(
          ["computer_click_mouse", { button: "left", clickCount: 1 }],
          ["computer_read_file", { path: "/pdf" }],
          ["computer_read_file", { path: "/text" }],
          ["computer_cursor_position", {}]
        )
      )
      const id = yield* createTask("look", model("ollama/qwen"))
      yield* untilStatus(id, "COMPLETED")
      assert.deepStrictEqual(yield* errors, [])
      const body = proxy.requests[1]?.body
      assert.deepStrictEqual(roles(body), ["system", "user", "assistant", "tool", "tool", "tool", "tool", "user"])
      assert.strictEqual(body?.messages[2]?.tool_calls?.length, 4)
      const [, , , clicked, pdf, text, , shown] = decodeMessages(body?.messages)
      assert.deepStrictEqual(
        [clicked?.content, pdf?.content, text?.content],
        ["Tool executed successfully", "(see below)", "a.txt:\nhello"]
      )
      const kinds = JSON.stringify(shown?.content).match(/"type":"\w+"/g)
      assert.deepStrictEqual(kinds, [`"type":"image_url"`, `"type":"file"`])
      assert.notInclude(JSON.stringify(body), "cache_control")
    })
  )

  test.effect("Claude behind a proxy gets cache marks; reasoning is stored, and not sent back", () =>
    Effect.gen(function* () {
      const proxy = yield* start
      proxy.enqueue({
        content: [
          { type: "thinking", thinking: "hm" },
          { type: "tool_use", name: "computer_wait", input: { duration: 1 } }
        ]
      })
      const id = yield* createTask("think", model("anthropic/claude-opus-5-5"))
      yield* untilStatus(id, "COMPLETED")
      assert.deepStrictEqual(yield* errors, [])
      const sent = JSON.stringify(proxy.requests[1]?.body)
      assert.strictEqual(sent.split(`"cache_control":{"type":"ephemeral"}`).length - 1, 2)
      assert.notInclude(sent, `"hm"`)
      assert.deepStrictEqual(
        (yield* messagesOf(id))[1]?.content.map(({ type }) => type),
        ["thinking", "tool_use"]
      )
    })
  )

  const answer = (message: unknown, more: Readonly<Record<string, unknown>> = {}): Scripted => ({
    raw: { choices: [{ index: 0, message, ...more }] }
  })
  const odd: Readonly<Record<string, Scripted>> = {
    "arguments as an object, no id, no usage": answer({
      tool_calls: [{ function: { name: "computer_wait", arguments: { duration: 1 } } }]
    }),
    "content in parts": answer({ role: "assistant", content: [{ type: "text", text: "a thought" }] }),
    "arguments that are no JSON": answer({
      content: "",
      tool_calls: [{ id: "x", type: "function", function: { name: "computer_wait", arguments: "{duration" } }]
    })
  }
  for (const [name, reply] of Object.entries(odd)) {
    test.effect(`an answer with ${name} is understood`, () =>
      Effect.gen(function* () {
        const proxy = yield* start
        proxy.enqueue(reply)
        const id = yield* createTask(name, model("ollama/qwen"))
        yield* untilStatus(id, "COMPLETED")
        assert.deepStrictEqual(yield* errors, [])
        assert.strictEqual(proxy.requests.length, 2)
      })
    )
  }

  const failures: Readonly<Record<string, readonly [Scripted, RegExp]>> = {
    "a spent budget": [
      { status: 400, error: { type: "budget_exceeded", message: "ExceededBudget: over 1.0" } },
      /ExceededBudget/
    ],
    "no credits": [
      { status: 402, error: { type: "api_error", message: "Insufficient credits" } },
      /Insufficient credits/
    ],
    "an error inside a 200": [{ raw: { error: { message: "bad model id", code: 400 } } }, /bad model id/],
    "a content policy": [
      { status: 400, error: { type: "x", message: "ContentPolicyViolationError: no" } },
      /ContentPolicyViolation/
    ]
  }
  for (const [name, [reply, words]] of Object.entries(failures)) {
    test.effect(`${name} fails the task at once`, () =>
      Effect.gen(function* () {
        const proxy = yield* start
        proxy.enqueue(reply)
        const id = yield* createTask(name, model("ollama/qwen"))
        assert.match((yield* untilStatus(id, "FAILED")).error ?? "", words)
        assert.strictEqual(proxy.requests.length, 1)
      })
    )
  }

  const tooLong = [
    "litellm.ContextWindowExceededError: too much",
    "This model's maximum context length is 8192 tokens.",
    "the request exceeds the available context size"
  ]
  for (const message of tooLong) {
    test.effect(`"${message}" has the conversation summarised`, () =>
      Effect.gen(function* () {
        const proxy = yield* start
        const wait = calling(["computer_wait", { duration: 1 }])
        const fault: Scripted = { status: 400, error: { type: "invalid_request_error", message } }
        proxy.enqueue(wait, wait, fault, { content: [{ type: "text", text: "SHORTER" }] })
        const id = yield* createTask("too long", model("ollama/qwen"))
        yield* untilStatus(id, "COMPLETED")
        assert.include(JSON.stringify(proxy.requests[4]?.body.messages[1]), "SHORTER")
        assert.deepStrictEqual(yield* errors, [])
      })
    )
  }
})

for (const suffix of ["", "/v1"]) {
  layer(
    Gateway.layer({ onlyV1: true, models: ["qwen"] }, (url) => ({ BYTEBOT_LLM_PROXY_URL: `${url}${suffix}` })),
    {
      timeout: "60 seconds",
      excludeTestServices: true
    }
  )(`an endpoint with /v1 alone, given ${suffix === "" ? "without" : "with"} it`, (test) => {
    test.effect("lists its models and runs tasks", () =>
      Effect.gen(function* () {
        const proxy = yield* start
        const { url } = yield* Stage
        const { json } = yield* request(url, "GET", "/tasks/models")
        assert.deepStrictEqual(json, [{ provider: "proxy", name: "qwen", title: "qwen", contextWindow: 128_000 }])
        proxy.enqueue(calling(["computer_wait", { duration: 1 }]))
        const id = yield* createTask("run")
        yield* untilStatus(id, "COMPLETED")
        assert.deepStrictEqual(
          proxy.requests.map((call) => call.url),
          ["/v1/chat/completions", "/v1/chat/completions"]
        )
      })
    )
  })
}
