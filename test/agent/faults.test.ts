import { assert, layer } from "@effect/vitest"
import { Context, Effect, Layer } from "effect"
import type { ModelEmulator } from "../emulators/modelEmulator.ts"
import type { Scripted } from "../emulators/modelReplies.ts"
import { type Provider, providers } from "../support/ModelProviders.ts"
import { createTask, messagesOf, reset, Stage, untilStatus } from "../support/Stage.ts"

/**
 * Every failure of a model, with every provider, in every phase of a task: at its first call, after an action, and while the conversation is
 * summarised. What is peculiar to one provider's API is in that provider's own tests.
 */

class Model extends Context.Service<
  Model,
  { readonly emulator: ModelEmulator<unknown, unknown>; readonly provider: Provider }
>()("test/Model") {
  static readonly layer = (provider: Provider) =>
    Layer.unwrap(
      Effect.map(
        Effect.acquireRelease(Effect.promise(provider.start), (emulator) => Effect.promise(() => emulator.close())),
        (emulator) =>
          Layer.merge(Layer.succeed(Model, { emulator, provider }), Stage.layer(provider.settings(emulator.url)))
      )
    )
}

const wait = (duration: number): Scripted => ({
  content: [{ type: "tool_use", name: "computer_wait", input: { duration } }]
})
const finish: Scripted = {
  content: [{ type: "tool_use", name: "set_task_status", input: { status: "completed", description: "ok" } }]
}
const failing = (status: number, message: string, type = "api_error"): Scripted => ({
  status,
  error: { type, message }
})

/** Asked again, until it works. */
const passing: Readonly<Record<string, Scripted>> = {
  "429": failing(429, "slow down", "rate_limit_error"),
  "500": failing(500, "internal trouble"),
  "503": failing(503, "away for a moment"),
  "529": failing(529, "overloaded", "overloaded_error"),
  "a dropped connection": { drop: true }
}

/** The task fails at once, with these words for people. */
const final: Readonly<Record<string, readonly [Scripted, RegExp]>> = {
  "400": [failing(400, "this makes no sense", "invalid_request_error"), /this makes no sense/],
  "401": [failing(401, "who are you", "authentication_error"), /who are you/],
  "403": [failing(403, "not for you", "permission_error"), /not for you/],
  "404": [failing(404, "no such model", "not_found_error"), /no such model/],
  "a refusal": [{ content: [{ type: "text", text: "I won't." }], stop_reason: "refusal" }, /refused/]
}

const empty: Scripted = { content: [] }

const begin = Effect.gen(function* () {
  yield* reset
  const { emulator, provider } = yield* Model
  emulator.reset()
  return { emulator, model: { provider: provider.name, name: provider.model, title: "any", contextWindow: 100_000 } }
})

const errors = Effect.map(Model, ({ emulator }) => emulator.rejected.map(({ error }) => error))

for (const provider of providers) {
  layer(Model.layer(provider), { timeout: "60 seconds", excludeTestServices: true })(
    `failures of ${provider.name}`,
    (test) => {
      test.effect("that pass are waited for, at the first call and after actions", () =>
        Effect.gen(function* () {
          const { emulator, model } = yield* begin
          const faults = Object.values(passing)
          emulator.enqueue(...faults.flatMap((fault, index) => [fault, wait(index + 1)]), finish)
          const id = yield* createTask("patience", { model })
          const { error } = yield* untilStatus(id, "COMPLETED")
          assert.strictEqual(error, null)
          assert.strictEqual(emulator.requests.length, 2 * faults.length + 1)
          const roles = (yield* messagesOf(id)).map(({ role }) => role)
          assert.deepStrictEqual(roles, [
            "USER",
            ...Array.from({ length: faults.length + 1 }, () => ["ASSISTANT", "USER"]).flat()
          ])
          assert.deepStrictEqual(yield* errors, [])
        })
      )

      for (const [name, [fault, words]] of Object.entries(final)) {
        test.effect(`${name} fails the task at once`, () =>
          Effect.gen(function* () {
            const { emulator, model } = yield* begin
            emulator.enqueue(fault)
            const first = yield* createTask("at the first call", { model })
            assert.match((yield* untilStatus(first, "FAILED")).error ?? "", words)
            assert.strictEqual(emulator.requests.length, 1)

            emulator.enqueue(wait(1), fault)
            const later = yield* createTask("after an action", { model })
            assert.match((yield* untilStatus(later, "FAILED")).error ?? "", words)
            assert.strictEqual(emulator.requests.length, 3)
          })
        )
      }

      test.effect("that are empty answers are asked for again, and the third in a row fails the task", () =>
        Effect.gen(function* () {
          const { emulator, model } = yield* begin
          emulator.enqueue(empty, empty, wait(1), empty, empty, finish)
          const patient = yield* createTask("once in a while", { model })
          yield* untilStatus(patient, "COMPLETED")
          assert.strictEqual(emulator.requests.length, 6)
          assert.lengthOf(yield* messagesOf(patient), 5)
          // They were paid for all the same.
          const { sql } = yield* Stage
          assert.lengthOf(yield* sql`SELECT 1 FROM "ModelCall" WHERE "taskId" = ${patient} AND "purpose" = 'reply'`, 6)

          emulator.enqueue(empty, empty, empty)
          const failed = yield* createTask("nothing to say", { model })
          assert.match((yield* untilStatus(failed, "FAILED")).error ?? "", /empty 3 times in a row/)
          assert.strictEqual(emulator.requests.length, 9)
          assert.deepStrictEqual(yield* errors, [])
        })
      )

      test.effect(
        "that are JSON of another shape fail the task the third time in a row, and a page in between is waited for",
        () =>
          Effect.gen(function* () {
            const { emulator, model } = yield* begin
            const rubbish = (id: number): Scripted => ({ raw: { totally: id, different: "sk-planted-0123456789" } })
            const page: Scripted = { raw: "<html>Back in a minute</html>", headers: { "content-type": "text/html" } }
            emulator.enqueue(rubbish(1), rubbish(2), page, wait(1), rubbish(3), finish)
            yield* untilStatus(yield* createTask("now and then", { model }), "COMPLETED")
            assert.strictEqual(emulator.requests.length, 6)

            emulator.enqueue(rubbish(4), rubbish(5), rubbish(6))
            const failed = yield* createTask("always", { model })
            const error = (yield* untilStatus(failed, "FAILED")).error ?? ""
            assert.match(error, /unexpected shape/)
            assert.notInclude(error, "sk-planted")
            assert.strictEqual(emulator.requests.length, 9)
          })
      )

      test.effect("never fail a task while its conversation is summarised", () =>
        Effect.gen(function* () {
          const { emulator, model } = yield* begin
          const crowded = (duration: number): Scripted => ({
            content: [{ type: "tool_use", name: "computer_wait", input: { duration } }],
            usage: { input_tokens: 90_000, output_tokens: 10 }
          })
          const faults = [...Object.values(passing), ...Object.values(final).map(([fault]) => fault), empty]
          emulator.enqueue(...faults.flatMap((fault, index) => [crowded(index + 1), fault]), finish)
          const id = yield* createTask("no summary", { model })
          yield* untilStatus(id, "COMPLETED")
          assert.strictEqual(emulator.requests.length, 2 * faults.length + 1)
          assert.isTrue((yield* messagesOf(id)).every(({ summaryId }) => summaryId === null))
          assert.deepStrictEqual(yield* errors, [])
        })
      )
    }
  )
}
