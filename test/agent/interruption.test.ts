import { assert, layer } from "@effect/vitest"
import { Effect } from "effect"
import type { Scripted } from "../emulators/modelReplies.ts"
import { command, createTask, messagesOf, reset, Stage, showTask, untilStatus } from "../support/Stage.ts"
import { until } from "../support/Waiting.ts"

/** A person does not have to wait for what only waits: settling screens, pauses, retries. */

const use = (name: string, input: Readonly<Record<string, unknown>> = {}): Scripted => ({
  content: [
    { type: "tool_use", id: "a1", name, input },
    { type: "tool_use", id: "a2", name: "computer_type_text", input: { text: "not any more" } }
  ]
})

const resultsOf = Effect.fnUntraced(function* (id: string) {
  const messages = yield* messagesOf(id)
  return messages.flatMap(({ content }) => content.filter(({ type }) => type === "tool_result"))
})

/** Settling takes an hour: whatever waits for it would not end in this test. */
layer(Stage.layer({ BYTEBOT_SETTLE_DELAY: "3600000" }), { timeout: "60 seconds", excludeTestServices: true })(
  "interruption",
  (test) => {
    test.effect("a cancel ends the wait for the screen to settle; the action counts as done", () =>
      Effect.gen(function* () {
        yield* reset
        const { desktop, model } = yield* Stage
        model.enqueue(use("computer_click_mouse", { button: "left", clickCount: 1 }))
        const id = yield* createTask("settle")
        yield* Effect.promise(() => desktop.waitForRequest("click_mouse"))
        assert.strictEqual(yield* command(id, "cancel"), 200)
        const results = yield* until(
          "results are stored",
          Effect.map(resultsOf(id), (all) => (all.length === 2 ? all : undefined))
        )
        assert.deepStrictEqual(
          results.map(({ content, is_error, tool_use_id }) => [
            tool_use_id,
            is_error ?? false,
            JSON.stringify(content).includes("executed successfully")
          ]),
          [
            ["a1", false, true],
            ["a2", true, false]
          ]
        )
        assert.isFalse(desktop.actions().includes("type_text"))
      })
    )

    test.effect("a takeover ends a pause that the model asked for", () =>
      Effect.gen(function* () {
        yield* reset
        const { desktop, model } = yield* Stage
        const release = desktop.hold("wait")
        model.enqueue(use("computer_wait", { duration: 60_000 }))
        const id = yield* createTask("pause")
        yield* Effect.promise(() => desktop.waitForRequest("wait"))
        assert.strictEqual(yield* command(id, "takeover"), 200)
        yield* Effect.promise(() => desktop.waitForRequest("POST /input-tracking/start"))
        release()
        assert.isFalse(desktop.actions().includes("type_text"))
      })
    )

    test.effect("a cancel ends the wait for a busy model, and the next task starts", () =>
      Effect.gen(function* () {
        yield* reset
        const { model } = yield* Stage
        model.enqueue({
          status: 429,
          error: { type: "rate_limit_error", message: "busy" },
          headers: { "retry-after": "600" }
        })
        const id = yield* createTask("busy")
        yield* until(
          "the reason is shown",
          Effect.map(showTask(id), ({ error }) => error ?? undefined)
        )
        assert.strictEqual(yield* command(id, "cancel"), 200)
        assert.strictEqual((yield* showTask(id)).error, null)
        const next = yield* createTask("next")
        yield* untilStatus(next, "COMPLETED")
        assert.strictEqual(model.requests.length, 2)
      })
    )
  }
)
