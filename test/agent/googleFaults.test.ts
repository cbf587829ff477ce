import { assert, layer } from "@effect/vitest"
import { Context, Effect, Layer } from "effect"
import * as Google from "../emulators/google.ts"
import type { Scripted } from "../emulators/modelReplies.ts"
import { createTask, reset, Stage, showTask, untilStatus } from "../support/Stage.ts"
import { until } from "../support/Waiting.ts"

/** What each failure of Google's API does to a task: some pass with patience, some fail it at once with words for people. */

class Gemini extends Context.Service<Gemini, Google.GoogleEmulator>()("test/Gemini") {
  static readonly layer = Layer.unwrap(
    Effect.map(Google.scoped({ apiKey: "right", models: ["gemini-3.8-flash"] }), (google) =>
      Layer.merge(
        Layer.succeed(Gemini, google),
        Stage.layer({ GEMINI_API_KEY: "right", GOOGLE_GEMINI_BASE_URL: google.url })
      )
    )
  )
}

const fault = (status: number, type: string, message: string, details: ReadonlyArray<unknown> = []): Scripted => ({
  status,
  error: { type, message, details }
})
const detail = (type: string, fields: Readonly<Record<string, unknown>>) => ({
  "@type": `type.googleapis.com/google.rpc.${type}`,
  ...fields
})
const ended = (finishReason: string, parts: ReadonlyArray<unknown> = []): Scripted => ({
  raw: { candidates: [{ content: { role: "model", parts }, finishReason }], usageMetadata: { promptTokenCount: 9 } }
})
const perMinute = detail("QuotaFailure", {
  violations: [{ quotaMetric: "m", quotaId: "GenerateRequestsPerMinutePerProjectPerModel-FreeTier", quotaValue: "10" }]
})
const perDay = detail("QuotaFailure", {
  violations: [{ quotaMetric: "m", quotaId: "GenerateRequestsPerDayPerProjectPerModel-FreeTier", quotaValue: "20" }]
})
const inAWhile = detail("RetryInfo", { retryDelay: "0.2s" })

const passing: ReadonlyArray<readonly [string, Scripted]> = [
  ["429 a minute's quota", fault(429, "RESOURCE_EXHAUSTED", "You exceeded your current quota", [perMinute, inAWhile])],
  ["429 without details", fault(429, "RESOURCE_EXHAUSTED", "Resource has been exhausted (e.g. check quota).")],
  ["500", fault(500, "INTERNAL", "An internal error has occurred.")],
  ["503 overloaded", fault(503, "UNAVAILABLE", "The model is overloaded. Please try again later.")],
  ["504", fault(504, "DEADLINE_EXCEEDED", "Deadline expired before operation could complete.")],
  ["a proxy's page", { raw: "<html>bad gateway</html>", status: 502, headers: { "content-type": "text/html" } }],
  ["a dropped connection", { drop: true }],
  ["no JSON", { raw: "so sorry" }],
  ["JSON of another shape", { raw: { candidates: "none" } }],
  ["no candidates", { raw: {} }],
  ["a malformed call", ended("MALFORMED_FUNCTION_CALL")],
  ["an unknown call", ended("UNEXPECTED_TOOL_CALL")],
  ["thoughts up to the limit", ended("MAX_TOKENS")]
]

const failing: ReadonlyArray<readonly [string, Scripted, string]> = [
  ["429 a day's quota", fault(429, "RESOURCE_EXHAUSTED", "You exceeded your quota", [perDay, inAWhile]), "your quota"],
  ["429 no money", fault(429, "RESOURCE_EXHAUSTED", "Your prepayment credits are depleted."), "credits are depleted"],
  ["400", fault(400, "INVALID_ARGUMENT", "Request contains an invalid argument."), "an invalid argument"],
  [
    "400 a key that was refused",
    fault(400, "INVALID_ARGUMENT", "API key expired.", [detail("ErrorInfo", { reason: "API_KEY_INVALID" })]),
    "API key expired"
  ],
  ["401", fault(401, "UNAUTHENTICATED", "Request had invalid credentials."), "invalid credentials"],
  ["403", fault(403, "PERMISSION_DENIED", "Your API key was reported as leaked."), "reported as leaked"],
  ["404", fault(404, "NOT_FOUND", "models/x is not found"), "is not found"],
  ["an error in a list", { raw: [{ error: { code: 400, message: "listed" } }], status: 400 }, "Google: listed"],
  ["a blocked prompt", { raw: { promptFeedback: { blockReason: "PROHIBITED_CONTENT" } } }, "PROHIBITED_CONTENT"],
  ["SAFETY", ended("SAFETY"), "refused"],
  ["BLOCKLIST", ended("BLOCKLIST"), "refused"],
  ["RECITATION", ended("RECITATION", [{ text: "half a" }]), "refused"],
  ["a refusal", { content: [], stop_reason: "refusal" }, "refused"],
  ["an empty answer", { content: [] }, "empty"]
]

const start = Effect.gen(function* () {
  yield* reset
  const google = yield* Gemini
  google.reset()
  return google
})
const modern = { model: { provider: "google", name: "gemini-3.8-flash" } }

layer(Gemini.layer, { timeout: "60 seconds", excludeTestServices: true })("Google's failures", (test) => {
  for (const [name, reply] of passing) {
    test.effect(`${name}: asked again`, () =>
      Effect.gen(function* () {
        const google = yield* start
        google.enqueue(reply)
        const id = yield* createTask(name, modern)
        yield* untilStatus(id, "COMPLETED")
        assert.strictEqual(google.requests.length, 2)
      })
    )
  }

  for (const [name, reply, words] of failing) {
    test.effect(`${name}: the task fails`, () =>
      Effect.gen(function* () {
        const google = yield* start
        // An empty answer is asked for again (docs/contract/agent.md, 4).
        const times = words === "empty" ? 3 : 1
        google.enqueue(...Array.from({ length: times }, () => reply))
        const id = yield* createTask(name, modern)
        const { error } = yield* untilStatus(id, "FAILED")
        assert.include(error ?? "", words)
        assert.strictEqual(google.requests.length, times)
      })
    )
  }

  test.effect("a retry waits as long as Google says", () =>
    Effect.gen(function* () {
      const google = yield* start
      const later = detail("RetryInfo", { retryDelay: "5.5s" })
      google.enqueue(fault(429, "RESOURCE_EXHAUSTED", "slow down", [perMinute, later]))
      const id = yield* createTask("busy", modern)
      yield* until(
        "the reason is shown",
        Effect.map(showTask(id), ({ error }) => error?.includes("Google: slow down") || undefined)
      )
      yield* untilStatus(id, "COMPLETED")
      const [first, second] = google.requests
      assert.isAtLeast((second?.t ?? 0) - (first?.t ?? 0), 5500)
    })
  )

  test.effect("a conversation that is too long is summarised in words alone", () =>
    Effect.gen(function* () {
      const google = yield* start
      const wait: Scripted = { content: [{ type: "tool_use", name: "computer_wait", input: { duration: 1 } }] }
      const tooLong = "The input token count (1290000) exceeds the maximum number of tokens allowed (1048576)."
      google.enqueue(wait, wait, fault(400, "INVALID_ARGUMENT", tooLong), {
        content: [{ type: "text", text: "SHORTER" }]
      })
      const id = yield* createTask("too long", modern)
      yield* untilStatus(id, "COMPLETED")
      const [, , , summary, last] = google.requests
      assert.strictEqual<string | undefined>(summary?.body.toolConfig?.functionCallingConfig?.mode, "NONE")
      assert.include(JSON.stringify(last?.body.contents[0]), "SHORTER")
      assert.deepStrictEqual(google.rejected, [])
    })
  )

  test.effect("a model that Google does not have", () =>
    Effect.gen(function* () {
      yield* start
      const id = yield* createTask("which?", { model: { provider: "google", name: "gemini-0" } })
      const { error } = yield* untilStatus(id, "FAILED")
      assert.include(error ?? "", "models/gemini-0 is not found")
    })
  )
})
