import { assert, layer } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { TaskUsage } from "../../src/domain/ModelCall.ts"
import { request } from "../support/RestClient.ts"
import { createTask, reset, Stage, untilStatus } from "../support/Stage.ts"

const decodeUsage = Schema.decodeUnknownSync(TaskUsage)

const usageOf = Effect.fnUntraced(function* (id: string) {
  const { url } = yield* Stage
  const { json, status } = yield* request(url, "GET", `/tasks/${id}/usage`)
  assert.strictEqual(status, 200)
  return decodeUsage(json)
})

const look = { type: "tool_use", name: "computer_screenshot", input: {} } as const
const done = { type: "tool_use", name: "set_task_status", input: { status: "completed", description: "ok" } } as const

layer(Stage.layer(), { timeout: "60 seconds", excludeTestServices: true })("GET /tasks/:id/usage", (test) => {
  test.effect("shows each call with its tokens and cost, and the total", () =>
    Effect.gen(function* () {
      yield* reset
      const { model } = yield* Stage
      const usage = {
        input_tokens: 1000,
        output_tokens: 100,
        cache_read_input_tokens: 500,
        cache_creation_input_tokens: 200
      }
      model.enqueue({ content: [look], usage }, { content: [done], usage })
      const id = yield* createTask("count", { model: { provider: "anthropic", name: "claude-opus-5-5" } })
      yield* untilStatus(id, "COMPLETED")
      const { calls, total } = yield* usageOf(id)
      assert.deepStrictEqual(
        calls.map(({ model, provider, purpose, tokens }) => ({ model, provider, purpose, tokens })),
        Array.from({ length: 2 }, () => ({
          model: "claude-opus-5-5",
          provider: "anthropic",
          purpose: "reply" as const,
          tokens: { input: 1700, output: 100, cacheRead: 500, cacheWrite: 200 }
        }))
      )
      // 1000 fresh at 4 $, 500 read at 0.20 $, 200 written at 5 $, 100 out at 20 $ for a million each.
      assert.closeTo(calls[0]?.cost ?? 0, 0.0071, 1e-9)
      assert.closeTo(total.cost ?? 0, 0.0142, 1e-9)
      assert.deepStrictEqual(total.tokens, { input: 3400, output: 200, cacheRead: 1000, cacheWrite: 400 })
      assert.strictEqual(total.unpricedCalls, 0)
      assert.isTrue(calls.every(({ messageId }) => messageId !== null))
    })
  )

  test.effect("has no cost for a model whose prices are not known", () =>
    Effect.gen(function* () {
      yield* reset
      const id = yield* createTask("free", { model: { provider: "anthropic", name: "claude-secret" } })
      yield* untilStatus(id, "COMPLETED")
      const { calls, total } = yield* usageOf(id)
      assert.deepStrictEqual([calls[0]?.cost, total.cost, total.unpricedCalls], [null, null, 1])
    })
  )

  test.effect("is empty for a task that never ran, and unknown for one that does not exist", () =>
    Effect.gen(function* () {
      const { url } = yield* Stage
      const id = yield* createTask("later", { scheduledFor: "2099-01-01T00:00:00Z" })
      const { calls, total } = yield* usageOf(id)
      assert.deepStrictEqual([calls.length, total.calls, total.cost], [0, 0, null])
      assert.strictEqual((yield* request(url, "GET", "/api/tasks/none/usage")).status, 404)
    })
  )
})
