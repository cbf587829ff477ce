import { assert, layer } from "@effect/vitest"
import { Effect, Schema } from "effect"
import type { Scripted } from "../emulators/modelReplies.ts"
import { request } from "../support/RestClient.ts"
import { createTask, messagesOf, Stage, untilStatus } from "../support/Stage.ts"
import { calling, errors, Gateway, model, roles, start } from "./Gateway.ts"

/** Tasks through an OpenAI-compatible proxy: LiteLLM, and endpoints that are less exact. */

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
      assert.deepStrictEqual([clicked?.content, text?.content], ["Tool executed successfully", "a.txt:\nhello"])
      assert.match(JSON.stringify(pdf?.content), /a\.pdf is a PDF of 9 bytes, which this model can't be shown/)
      const kinds = JSON.stringify(shown?.content).match(/"type":"\w+"/g)
      assert.deepStrictEqual(kinds, [`"type":"image_url"`])
      assert.notInclude(JSON.stringify(body), "cache_control")
    })
  )

  test.effect("a PDF is a file for the models to which proxies pass it", () =>
    Effect.gen(function* () {
      const proxy = yield* start
      proxy.enqueue(calling(["computer_read_file", { path: "/pdf" }]))
      const id = yield* createTask("read", model("openai/gpt-6.1-sol"))
      yield* untilStatus(id, "COMPLETED")
      assert.deepStrictEqual(yield* errors, [])
      assert.include(JSON.stringify(proxy.requests[1]?.body.messages), `"filename":"a.pdf"`)
    })
  )

  test.effect("Claude behind a proxy gets cache marks, and its reasoning back", () =>
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
      assert.include(sent, `"reasoning_content":"hm"`)
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
    "a model that the provider behind LiteLLM does not know": [
      { status: 500, error: { type: "None", message: `OllamaException - {"error":"model 'qwen9' not found"}` } },
      /not found/
    ],
    "what OpenRouter passes on of the provider behind it": [
      {
        raw: { error: { message: "Provider returned error", code: 400, metadata: { raw: "no tools here" } } },
        status: 400
      },
      /no tools here/
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

  const others: Readonly<Record<string, readonly [text: string, type: string, words: string]>> = {
    "a web page": ["<!doctype html><html></html>", "text/html", "a web page"],
    "a stream without an answer": [
      'data: {"choices":[]}\n\ndata: [DONE]\n\n',
      "text/event-stream",
      'an unexpected shape: {"choices":[]}'
    ]
  }
  for (const [name, [raw, type, words]] of Object.entries(others)) {
    test.effect(`${name} in place of an answer fails the task after three tries`, () =>
      Effect.gen(function* () {
        const proxy = yield* start
        proxy.setDefault({ raw, headers: { "content-type": type } })
        const id = yield* createTask(name, model(name))
        assert.include((yield* untilStatus(id, "FAILED")).error ?? "", words)
        // The first try asks below /v1, too.
        assert.strictEqual(proxy.requests.length, 4)
      })
    )
  }

  const overflow: Scripted = { status: 400, error: { type: "x", message: "maximum context length is 8192 tokens" } }
  const summary: Scripted = { content: [{ type: "text", text: "SHORTER" }] }
  const wait = calling(["computer_wait", { duration: 1 }])
  const troubles: Readonly<Record<string, readonly [Scripted, Scripted]>> = {
    "an overloaded server": [{ status: 503, error: { type: "x", message: "busy" } }, summary],
    // github.com/ollama/ollama/issues/17921
    "a call of a tool, though none is wanted": [wait, summary],
    "words in the field of the reasoning": [
      { content: [{ type: "thinking", thinking: "SHORTER" }] },
      { content: [{ type: "thinking", thinking: "SHORTER" }] }
    ]
  }
  for (const [name, replies] of Object.entries(troubles)) {
    test.effect(`a summary without which there is no going on survives ${name}`, () =>
      Effect.gen(function* () {
        const proxy = yield* start
        proxy.enqueue(wait, overflow, ...replies)
        const id = yield* createTask("summary", model("qwen"))
        yield* untilStatus(id, "COMPLETED")
        assert.include(JSON.stringify(proxy.requests.at(-1)?.body.messages[1]), "SHORTER")
        // An answer without words is asked for again without tools.
        const isAskedSo = name !== "an overloaded server"
        assert.strictEqual(proxy.requests[3]?.body.tools === undefined, isAskedSo)
        assert.deepStrictEqual(yield* errors, [])
      })
    )
  }

  test.effect("a refusal in unknown words has a long conversation shortened, once", () =>
    Effect.gen(function* () {
      const proxy = yield* start
      const odd: Scripted = { status: 400, error: { type: "x", message: "E1017" } }
      const waits = Array.from({ length: 10 }, (_, index) => calling(["computer_wait", { duration: index + 1 }]))
      proxy.enqueue(...waits, odd, summary, odd)
      const id = yield* createTask("odd", model("qwen"))
      assert.match((yield* untilStatus(id, "FAILED")).error ?? "", /E1017/)
      assert.strictEqual(proxy.requests.length, 13)
      assert.include(JSON.stringify(proxy.requests[12]?.body.messages[1]), "SHORTER")
    })
  )

  test.effect("a retry waits until the instant that OpenRouter names", () =>
    Effect.gen(function* () {
      const proxy = yield* start
      proxy.enqueue(() => ({
        status: 429,
        raw: {
          error: {
            message: "Rate limit exceeded: free-models-per-min.",
            code: 429,
            metadata: { headers: { "X-RateLimit-Limit": "20", "X-RateLimit-Reset": String(Date.now() + 4_000) } }
          }
        }
      }))
      const id = yield* createTask("limited", model("qwen"))
      yield* untilStatus(id, "COMPLETED")
      const [first, second] = proxy.requests
      assert.isAtLeast((second?.t ?? 0) - (first?.t ?? 0), 3_500)
    })
  )

  /** The words of each server with the status that it gives them; sources are in src/models/Wordings.ts. */
  const tooLong: ReadonlyArray<readonly [status: number, message: string]> = [
    [400, "litellm.ContextWindowExceededError: too much"],
    [400, "This model's maximum context length is 8192 tokens."],
    [400, "The decoder prompt (length 9472) is longer than the maximum model length of 8192."],
    [400, "The input (16500 tokens) is longer than the model's context length (16384 tokens)."],
    [400, "the request exceeds the available context size"],
    [500, "Context size has been exceeded."],
    [
      400,
      "Trying to keep the first 9541 tokens when context the overflows. However, the model is loaded with 4096 tokens"
    ],
    [400, "The number of tokens to keep from the initial prompt is greater than the context length."],
    [400, "Please reduce the length of the messages or completion."],
    [400, "Invalid request: Your request exceeded model token limit: 262144 (requested: 268981)"],
    [400, `BedrockException - {"message":"Input is too long for requested model."}`],
    [400, "This model's maximum prompt length is 131072 but the request contains 537812 tokens."],
    [400, "invalid params, context window exceeds limit"],
    [400, "Range of input length should be [1, 129024]"],
    [413, "Payload Too Large"]
  ]
  for (const [status, message] of tooLong) {
    test.effect(`${status} "${message}" has the conversation summarised`, () =>
      Effect.gen(function* () {
        const proxy = yield* start
        const wait = calling(["computer_wait", { duration: 1 }])
        const fault: Scripted = { status, error: { type: "invalid_request_error", message } }
        proxy.enqueue(wait, wait, fault, { content: [{ type: "text", text: "SHORTER" }] })
        const id = yield* createTask("too long", model("ollama/qwen"))
        yield* untilStatus(id, "COMPLETED")
        assert.include(JSON.stringify(proxy.requests[4]?.body.messages[1]), "SHORTER")
        assert.deepStrictEqual(yield* errors, [])
      })
    )
  }
})

const places: ReadonlyArray<readonly [name: string, onlyV1: true | "LM Studio", suffix: string]> = [
  ["an endpoint with /v1 alone, given without it", true, ""],
  ["an endpoint with /v1 alone, given with it", true, "/v1"],
  ["LM Studio, given without /v1", "LM Studio", ""]
]
for (const [name, onlyV1, suffix] of places) {
  layer(
    Gateway.layer({ onlyV1, models: ["qwen"] }, (url) => ({ BYTEBOT_LLM_PROXY_URL: `${url}${suffix}` })),
    {
      timeout: "60 seconds",
      excludeTestServices: true
    }
  )(name, (test) => {
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
