import { assert, layer } from "@effect/vitest"
import { Effect } from "effect"
import type { Scripted } from "../emulators/modelReplies.ts"
import { createTask, reset, Stage, showTask, untilStatus } from "../support/Stage.ts"
import { until } from "../support/Waiting.ts"

/** Providers that are busy, away, or say no (the fault table is in faults.test.ts). */

const failing = (status: number, message: string, headers: Readonly<Record<string, string>> = {}): Scripted => ({
  status,
  error: { type: "api_error", message },
  headers
})

layer(Stage.layer(), { timeout: "60 seconds", excludeTestServices: true })("patience", (test) => {
  test.effect("Retry-After is honoured, the task shows what it waits for, and that is gone when it goes on", () =>
    Effect.gen(function* () {
      yield* reset
      const { model } = yield* Stage
      model.enqueue(failing(429, "slow down", { "retry-after": "5" }))
      const id = yield* createTask("busy")
      const waiting = yield* until(
        "the reason is shown",
        Effect.map(showTask(id), (task) => (task.error === null ? undefined : task))
      )
      assert.deepStrictEqual(
        [waiting.status, waiting.error],
        ["RUNNING", "Waiting for the model: Anthropic: slow down"]
      )
      const done = yield* untilStatus(id, "COMPLETED")
      assert.strictEqual(done.error, null)
      const [first, second] = model.requests
      assert.isAtLeast((second?.t ?? 0) - (first?.t ?? 0), 5000)
    })
  )

  /** The codes: the SDK's type `ErrorDetails`; the words: platform documentation, "Rate limits: Spend limits". */
  const spent: Readonly<Record<string, Scripted>> = {
    "of a contract": {
      status: 429,
      error: { type: "rate_limit_error", message: "reached", details: { error_code: "contract_spend_limit_reached" } }
    },
    "of an API tier": {
      status: 429,
      error: { type: "rate_limit_error", message: "reached", details: { error_code: "enforced_spend_limit_reached" } }
    },
    "of the account's own": failing(400, "You have reached your specified workspace API usage limits. reached")
  }
  for (const [name, fault] of Object.entries(spent)) {
    test.effect(`a spend limit ${name} fails the task at once`, () =>
      Effect.gen(function* () {
        yield* reset
        const { model } = yield* Stage
        model.enqueue(fault)
        const id = yield* createTask("spent")
        assert.match((yield* untilStatus(id, "FAILED")).error ?? "", /reached/)
        assert.strictEqual(model.requests.length, 1)
      })
    )
  }
})

const answer = {
  id: "msg_1",
  type: "message",
  role: "assistant",
  model: "m",
  usage: { input_tokens: 1, output_tokens: 1 }
}

layer(
  Stage.layer({
    BYTEBOT_MODEL_FALLBACKS: "openai/gpt-6-sol, anthropic/claude-haiku-5-5",
    BYTEBOT_MODEL_FALLBACK_AFTER: "0"
  }),
  { timeout: "60 seconds", excludeTestServices: true }
)("fallbacks", (test) => {
  test.effect("the next usable model goes on while the first stays unavailable, and its reasoning stays its own", () =>
    Effect.gen(function* () {
      yield* reset
      const { model } = yield* Stage
      const thought = { type: "thinking", thinking: "hm" } as const
      const look = { type: "tool_use", name: "computer_screenshot", input: {} } as const
      model.enqueue(
        { content: [thought, look] },
        failing(529, "overloaded"),
        { content: [thought, look] },
        { content: [{ type: "tool_use", name: "set_task_status", input: { status: "completed", description: "ok" } }] }
      )
      const id = yield* createTask("go on", { model: { provider: "anthropic", name: "claude-opus-5-5" } })
      yield* untilStatus(id, "COMPLETED")
      assert.deepStrictEqual(
        model.requests.map(({ body }) => body.model),
        ["claude-opus-5-5", "claude-opus-5-5", "claude-haiku-5-5", "claude-haiku-5-5"]
      )
      const thoughts = model.requests.map(({ body }) => JSON.stringify(body.messages).split(`"thinking"`).length > 1)
      assert.deepStrictEqual(thoughts, [false, true, false, true])
      assert.deepStrictEqual(model.rejected, [])
    })
  )

  test.effect(
    "what a model refuses to do is asked of the next one; if that refuses too, the first one's words are told",
    () =>
      Effect.gen(function* () {
        yield* reset
        const { model } = yield* Stage
        const details = { type: "refusal", category: "cyber", explanation: "This is a test." }
        const refusing: Scripted = { raw: { ...answer, content: [], stop_reason: "refusal", stop_details: details } }
        model.enqueue(refusing)
        const opus = { model: { provider: "anthropic", name: "claude-opus-5" } }
        yield* untilStatus(yield* createTask("allowed elsewhere", opus), "COMPLETED")
        model.enqueue(refusing, { raw: { ...answer, content: [], stop_reason: "refusal" } })
        const { error } = yield* untilStatus(yield* createTask("allowed nowhere", opus), "FAILED")
        assert.match(error ?? "", /refused.*cyber.*This is a test/)
        assert.deepStrictEqual(
          model.requests.map(({ body }) => body.model),
          ["claude-opus-5", "claude-haiku-5-5", "claude-opus-5", "claude-haiku-5-5"]
        )
      })
  )

  test.effect("a fallback for which the conversation is too long hides nothing of it and gives way", () =>
    Effect.gen(function* () {
      yield* reset
      const { model, sql } = yield* Stage
      const look = { type: "tool_use", name: "computer_screenshot", input: {} } as const
      model.enqueue({ content: [look] }, { content: [look] }, failing(529, "overloaded"), {
        status: 400,
        error: { type: "invalid_request_error", message: "prompt is too long: 250000 tokens > 200000 maximum" }
      })
      const id = yield* createTask("too long for the small one", {
        model: { provider: "anthropic", name: "claude-sonnet-5" }
      })
      yield* untilStatus(id, "COMPLETED")
      assert.deepStrictEqual(
        model.requests.map(({ body }) => body.model),
        ["claude-sonnet-5", "claude-sonnet-5", "claude-sonnet-5", "claude-haiku-5-5", "claude-sonnet-5"]
      )
      assert.deepStrictEqual(yield* sql`SELECT 1 FROM "Summary" WHERE "taskId" = ${id}`, [])
    })
  )

  test.effect("a fallback's reply never has the conversation summarised, the task's own model's does", () =>
    Effect.gen(function* () {
      yield* reset
      const { model, sql } = yield* Stage
      const look = { type: "tool_use", name: "computer_screenshot", input: {} } as const
      const crowded: Scripted = { content: [look], usage: { input_tokens: 90_000, output_tokens: 10 } }
      const summariesOf = (id: string) => sql`SELECT 1 FROM "Summary" WHERE "taskId" = ${id}`
      const named = (name: string) => ({ model: { provider: "anthropic", name, title: "t", contextWindow: 100_000 } })
      const words: Scripted = { content: [{ type: "text", text: "SUMMARY" }] }
      model.enqueue(failing(529, "overloaded"), crowded, words)
      const helped = yield* createTask("helped out", named("claude-sonnet-4-8"))
      yield* untilStatus(helped, "COMPLETED")
      assert.deepStrictEqual(yield* summariesOf(helped), [])

      model.enqueue(crowded, words)
      const own = yield* createTask("on its own", named("claude-sonnet-4-7"))
      yield* untilStatus(own, "COMPLETED")
      assert.lengthOf(yield* summariesOf(own), 1)
    })
  )
})
