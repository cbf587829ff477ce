import { assert, it, layer } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { start as startGoogle } from "../emulators/google.ts"
import type { ModelEmulator } from "../emulators/modelEmulator.ts"
import type { Scripted } from "../emulators/modelReplies.ts"
import { providers } from "../support/ModelProviders.ts"
import { request } from "../support/RestClient.ts"
import { createTask, refusals, reset, Stage, untilStatus } from "../support/Stage.ts"

/** How much a model thinks about each step. The emulators refuse what the models do not take. */

const wait: Scripted = { content: [{ type: "tool_use", name: "computer_wait", input: { duration: 1 } }] }
const finish: Scripted = {
  content: [{ type: "tool_use", name: "set_task_status", input: { status: "completed", description: "ok" } }]
}

const model = (name: string) => ({ model: { provider: "anthropic", name } })
const Body = Schema.Struct({
  output_config: Schema.optionalKey(Schema.Struct({ effort: Schema.String })),
  reasoning: Schema.optionalKey(Schema.Struct({ effort: Schema.String, summary: Schema.optionalKey(Schema.String) })),
  reasoning_effort: Schema.optionalKey(Schema.String),
  generationConfig: Schema.optionalKey(
    Schema.Struct({
      thinkingConfig: Schema.optionalKey(
        Schema.Struct({
          thinkingLevel: Schema.optionalKey(Schema.String),
          thinkingBudget: Schema.optionalKey(Schema.Int)
        })
      )
    })
  )
})
const decodeBody = Schema.decodeUnknownSync(Body)
const effortIn = (body: unknown): string | number | undefined => {
  const { generationConfig, output_config, reasoning, reasoning_effort } = decodeBody(body)
  const thinking = generationConfig?.thinkingConfig
  return (
    output_config?.effort ??
    reasoning?.effort ??
    reasoning_effort ??
    thinking?.thinkingLevel ??
    thinking?.thinkingBudget
  )
}
const Shown = Schema.Struct({ effort: Schema.optionalKey(Schema.String) })
const shownEffort = (json: unknown) => Schema.decodeUnknownSync(Shown)(json).effort

layer(Stage.layer(), { timeout: "60 seconds", excludeTestServices: true })("the effort of a task", (test) => {
  const asked = Effect.map(Stage, ({ model: { requests } }) => requests.map(({ body }) => effortIn(body)))

  test.effect("is not said where nobody asked for one", () =>
    Effect.gen(function* () {
      yield* reset
      const { url } = yield* Stage
      const id = yield* createTask("as usual")
      yield* untilStatus(id, "COMPLETED")
      assert.deepStrictEqual(yield* asked, [undefined])
      assert.notProperty((yield* request(url, "GET", `/tasks/${id}`)).json, "effort")
    })
  )

  test.effect("is asked for, shown, and can be changed while the task runs", () =>
    Effect.gen(function* () {
      yield* reset
      const { model: claude, url } = yield* Stage
      const { promise, resolve } = Promise.withResolvers<void>()
      claude.enqueue(async () => {
        await promise
        return { content: [{ type: "tool_use", name: "computer_wait", input: { duration: 1 } }] }
      })
      claude.enqueue(finish)
      const created = yield* request(url, "POST", "/tasks", { description: "think", effort: "high" })
      assert.strictEqual(shownEffort(created.json), "high")
      const { id } = Schema.decodeUnknownSync(Schema.Struct({ id: Schema.String }))(created.json)
      yield* Effect.promise(() => claude.waitForRequest(1))
      const patched = yield* request(url, "PATCH", `/tasks/${id}`, { effort: "low" })
      assert.strictEqual(shownEffort(patched.json), "low")
      resolve()
      yield* untilStatus(id, "COMPLETED")
      assert.deepStrictEqual(yield* asked, ["high", "low"])
      assert.strictEqual(shownEffort((yield* request(url, "GET", `/tasks/${id}`)).json), "low")
      const cleared = yield* request(url, "PATCH", `/tasks/${id}`, { effort: null })
      assert.isUndefined(shownEffort(cleared.json))
      assert.isUndefined(shownEffort((yield* request(url, "GET", `/tasks/${id}`)).json))
    })
  )

  test.effect("other words are refused", () =>
    Effect.gen(function* () {
      const { url } = yield* Stage
      assert.strictEqual((yield* request(url, "POST", "/tasks", { description: "x", effort: "most" })).status, 400)
    })
  )

  test.effect("is not asked for of models that do not take it", () =>
    Effect.gen(function* () {
      yield* reset
      const id = yield* createTask("old", { effort: "high", ...model("claude-sonnet-4-5") })
      yield* untilStatus(id, "COMPLETED")
      assert.deepStrictEqual(yield* asked, [undefined])
      assert.deepStrictEqual(yield* refusals, [])
    })
  )

  test.effect("is left out once a model refuses it, which is remembered", () =>
    Effect.gen(function* () {
      yield* reset
      const { model: claude } = yield* Stage
      claude.enqueue(
        {
          status: 400,
          error: { type: "invalid_request_error", message: "This model does not support the effort parameter." }
        },
        wait,
        finish
      )
      const id = yield* createTask("odd", { effort: "high", ...model("claude-odd") })
      yield* untilStatus(id, "COMPLETED")
      assert.deepStrictEqual(yield* asked, ["high", undefined, undefined])
    })
  )
})

const expected: Readonly<Record<string, string>> = { anthropic: "low", openai: "low", google: "LOW", proxy: "low" }

it.live.each(providers)(
  "the effort of the settings goes to $name in its words",
  ({ model: name, name: provider, settings, start }) =>
    Effect.gen(function* () {
      const emulator: ModelEmulator<unknown, unknown> = yield* Effect.acquireRelease(
        Effect.promise(start),
        ({ close }) => Effect.promise(close)
      )
      yield* Effect.gen(function* () {
        const id = yield* createTask("think", {
          model: { provider, name: provider === "anthropic" ? "claude-opus-5-5" : name }
        })
        yield* untilStatus(id, "COMPLETED")
        assert.deepStrictEqual(emulator.rejected, [])
        assert.deepStrictEqual(
          emulator.requests.map(({ body }) => effortIn(body)),
          [expected[provider]]
        )
      }).pipe(Effect.provide(Stage.layer({ BYTEBOT_MODEL_EFFORT: "low", ...settings(emulator.url) })))
    }).pipe(Effect.scoped)
)

it.live("the effort is a budget of tokens for a Gemini before the third", () =>
  Effect.gen(function* () {
    const google = yield* Effect.acquireRelease(
      Effect.promise(() => startGoogle()),
      ({ close }) => Effect.promise(close)
    )
    yield* Effect.gen(function* () {
      const id = yield* createTask("think", { model: { provider: "google", name: "gemini-2.5-pro" }, effort: "medium" })
      yield* untilStatus(id, "COMPLETED")
      assert.deepStrictEqual(google.rejected, [])
      assert.deepStrictEqual(
        google.requests.map(({ body }) => effortIn(body)),
        [8192]
      )
    }).pipe(Effect.provide(Stage.layer({ GEMINI_API_KEY: "k", GOOGLE_GEMINI_BASE_URL: google.url })))
  }).pipe(Effect.scoped)
)
