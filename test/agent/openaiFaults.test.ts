import { assert, layer } from "@effect/vitest"
import { Context, Effect, Layer } from "effect"
import type { Scripted } from "../emulators/modelReplies.ts"
import * as OpenAI from "../emulators/openai.ts"
import { createTask, reset, Stage, showTask, untilStatus } from "../support/Stage.ts"
import { until } from "../support/Waiting.ts"

/** What each failure of OpenAI's API does to a task: some pass with patience, some fail it at once with words for people. */

class Responses extends Context.Service<Responses, OpenAI.OpenAIEmulator>()("test/Responses") {
  static readonly layer = (key: string) =>
    Layer.unwrap(
      Effect.map(OpenAI.scoped({ apiKey: "sk-right-key", models: ["gpt-6.1-sol"] }), (openai) =>
        Layer.merge(
          Layer.succeed(Responses, openai),
          Stage.layer({ OPENAI_API_KEY: key, OPENAI_BASE_URL: `${openai.url}/v1` })
        )
      )
    )
}

const fault = (
  status: number,
  type: string,
  code: string | null,
  message: string,
  headers: Readonly<Record<string, string>> = {}
): Scripted => ({ status, error: { type, code, message }, headers })
const failed = (code: string, message: string): Scripted => ({
  raw: { object: "response", status: "failed", output: [], error: { code, message } }
})
const soon = { "retry-after-ms": "1" }
const tokens = "Rate limit reached for gpt-6.1-sol on tokens per min (TPM): Limit 30000, Used 29000, Requested 2000."
const tooLong = "Your input exceeds the context window of this model. Please adjust your input and try again."

const passing: ReadonlyArray<readonly [string, Scripted]> = [
  ["429 requests", fault(429, "requests", "rate_limit_exceeded", "Rate limit reached for requests", soon)],
  ["429 tokens", fault(429, "tokens", "rate_limit_exceeded", tokens, { "retry-after": "0" })],
  ["500", fault(500, "server_error", null, "The server had an error while processing your request. Sorry about that!")],
  ["503 overloaded", fault(503, "service_unavailable_error", "server_is_overloaded", "Our servers are overloaded.")],
  ["408", fault(408, "server_error", null, "Request timed out.")],
  ["a proxy's page", { raw: "<html>bad gateway</html>", status: 502, headers: { "content-type": "text/html" } }],
  ["a dropped connection", { drop: true }],
  ["no JSON", { raw: "so sorry" }],
  ["JSON of another shape", { raw: { output: "none" } }],
  ["an answer that failed", failed("server_error", "An error occurred.")],
  ["an answer that met a limit", failed("rate_limit_exceeded", "Rate limit reached")]
]

const policy = "Your prompt was flagged as potentially violating our usage policy."
const failing: ReadonlyArray<readonly [string, Scripted, string]> = [
  [
    "429 no quota",
    fault(429, "insufficient_quota", "insufficient_quota", "You exceeded your quota"),
    "OpenAI: You exceeded"
  ],
  [
    "429 no credits",
    fault(429, "insufficient_quota", "credit_balance_exhausted", "No credits left"),
    "No credits left"
  ],
  [
    "429 a hard limit",
    fault(429, "requests", "billing_hard_limit_reached", "Billing hard limit"),
    "Billing hard limit"
  ],
  ["400", fault(400, "invalid_request_error", "invalid_value", "Invalid value: 'x'."), "OpenAI: Invalid value"],
  [
    "401",
    fault(401, "invalid_request_error", "invalid_api_key", "Incorrect API key provided: my-to**en."),
    "provided: …"
  ],
  [
    "403",
    fault(403, "request_forbidden", "unsupported_country_region_territory", "Not supported here."),
    "Not supported"
  ],
  ["404", fault(404, "invalid_request_error", "model_not_found", "The model does not exist"), "does not exist"],
  ["400 a policy", fault(400, "invalid_request_error", "invalid_prompt", policy), "usage policy"],
  ["an answer against a policy", failed("misalignment_policy_violation", "This was blocked."), "This was blocked."],
  ["a refusal", { content: [{ type: "text", text: "I can't help." }], stop_reason: "refusal" }, "refused to go on"],
  [
    "the content filter",
    { content: [{ type: "text", text: "half" }], stop_reason: "content_filter" },
    "content filter"
  ],
  ["an empty answer", { content: [] }, "empty"],
  ["an answer of no words", { content: [{ type: "text", text: "" }] }, "empty"]
]

const start = Effect.gen(function* () {
  yield* reset
  const openai = yield* Responses
  openai.reset()
  return openai
})
const modern = { model: { provider: "openai", name: "gpt-6.1-sol" } }
const wait: Scripted = { content: [{ type: "tool_use", name: "computer_wait", input: { duration: 1 } }] }

layer(Responses.layer("sk-right-key"), { timeout: "60 seconds", excludeTestServices: true })(
  "OpenAI's failures",
  (test) => {
    for (const [name, reply] of passing) {
      test.effect(`${name}: asked again`, () =>
        Effect.gen(function* () {
          const openai = yield* start
          openai.enqueue(reply)
          const id = yield* createTask(name, modern)
          yield* untilStatus(id, "COMPLETED")
          assert.strictEqual(openai.requests.length, 2)
        })
      )
    }

    for (const [name, reply, words] of failing) {
      test.effect(`${name}: the task fails`, () =>
        Effect.gen(function* () {
          const openai = yield* start
          // An empty answer is asked for again (docs/contract/agent.md, 4).
          const times = words === "empty" ? 3 : 1
          openai.enqueue(...Array.from({ length: times }, () => reply))
          const id = yield* createTask(name, modern)
          const { error } = yield* untilStatus(id, "FAILED")
          assert.include(error ?? "", words)
          assert.strictEqual(openai.requests.length, times)
        })
      )
    }

    for (const [name, header, value, least] of [
      ["ms", "retry-after-ms", "5500", 5500],
      ["seconds", "retry-after", "5.2", 5200]
    ] as const) {
      test.effect(`a retry waits as long as OpenAI says, in ${name}`, () =>
        Effect.gen(function* () {
          const openai = yield* start
          openai.enqueue(fault(429, "tokens", "rate_limit_exceeded", "slow down", { [header]: value }))
          const id = yield* createTask("busy", modern)
          yield* until(
            "the reason is shown",
            Effect.map(showTask(id), ({ error }) => error?.includes("OpenAI: slow down") || undefined)
          )
          yield* untilStatus(id, "COMPLETED")
          const [first, second] = openai.requests
          assert.isAtLeast((second?.t ?? 0) - (first?.t ?? 0), least)
        })
      )
    }

    for (const [name, reply] of [
      ["is too long", fault(400, "invalid_request_error", "context_length_exceeded", tooLong)],
      [
        "is more than the account may use",
        fault(429, "tokens", "rate_limit_exceeded", `Request too large for gpt-6.1-sol`)
      ]
    ] as const) {
      test.effect(`a conversation that ${name} is summarised in words alone`, () =>
        Effect.gen(function* () {
          const openai = yield* start
          openai.enqueue(wait, wait, reply, { content: [{ type: "text", text: "SHORTER" }] })
          const id = yield* createTask(name, modern)
          yield* untilStatus(id, "COMPLETED")
          const [, , , summary, last] = openai.requests
          assert.strictEqual(summary?.body.tool_choice, "none")
          assert.include(JSON.stringify(last?.body.input), "SHORTER")
          assert.deepStrictEqual(openai.rejected, [])
        })
      )
    }

    test.effect("an account that may have no summaries of the reasoning gets none", () =>
      Effect.gen(function* () {
        const openai = yield* start
        openai.enqueue({
          status: 400,
          error: {
            type: "invalid_request_error",
            code: "unsupported_value",
            param: "reasoning.summary",
            message: "Your organization must be verified to generate reasoning summaries."
          }
        })
        openai.enqueue(wait)
        const id = yield* createTask("unverified", modern)
        yield* untilStatus(id, "COMPLETED")
        assert.deepStrictEqual<unknown>(
          openai.requests.map(({ body }) => body.reasoning),
          [{ effort: "medium", summary: "auto" }, { effort: "medium" }, { effort: "medium" }]
        )
      })
    )

    test.effect("reasoning that OpenAI can't read any more is left out", () =>
      Effect.gen(function* () {
        const openai = yield* start
        openai.enqueue(
          {
            content: [
              { type: "thinking", thinking: "", signature: "b2xk" },
              { type: "tool_use", name: "computer_wait", input: { duration: 1 } }
            ]
          },
          fault(
            400,
            "invalid_request_error",
            "invalid_encrypted_content",
            "The encrypted content could not be verified."
          )
        )
        const id = yield* createTask("another account", modern)
        yield* untilStatus(id, "COMPLETED")
        assert.deepStrictEqual(
          openai.requests.map(({ body }) => JSON.stringify(body.input).includes("b2xk")),
          [false, true, false]
        )
      })
    )

    test.effect("a model that OpenAI does not have", () =>
      Effect.gen(function* () {
        yield* start
        const id = yield* createTask("which?", { model: { provider: "openai", name: "gpt-0" } })
        const { error } = yield* untilStatus(id, "FAILED")
        assert.include(error ?? "", "The requested model 'gpt-0' does not exist.")
      })
    )
  }
)

layer(Responses.layer("sk-wrong-key"), { timeout: "60 seconds", excludeTestServices: true })("a wrong key", (test) => {
  test.effect("fails the task without showing any of it", () =>
    Effect.gen(function* () {
      yield* start
      const id = yield* createTask("who?", modern)
      const { error } = yield* untilStatus(id, "FAILED")
      assert.match(error ?? "", /^OpenAI: Incorrect API key provided: … You can find your API key at/)
    })
  )
})
