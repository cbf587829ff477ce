import { assert, layer } from "@effect/vitest"
import { Context, Effect, Layer, Schema } from "effect"
import * as Anthropic from "../emulators/anthropic.ts"
import * as Desktop from "../emulators/desktop.ts"
import { decodeTask, request } from "../support/RestClient.ts"
import { startService } from "../support/TestService.ts"
import { until } from "../support/Waiting.ts"

/** What a person does while the agent works (contract/agent.md, "User control"). */

class World extends Context.Service<
  World,
  { readonly url: string; readonly model: Anthropic.AnthropicEmulator; readonly desktop: Desktop.DesktopEmulator }
>()("test/World") {
  static readonly layer = Layer.effect(
    World,
    Effect.gen(function* () {
      const model = yield* Anthropic.scoped()
      const desktop = yield* Desktop.scoped({ reportOwnActions: true })
      const { url } = yield* startService({
        ANTHROPIC_API_KEY: "test-key",
        ANTHROPIC_BASE_URL: model.url,
        BYTEBOT_DESKTOP_BASE_URL: desktop.url
      })
      return { url, model, desktop }
    })
  )
}

const click = {
  type: "tool_use",
  id: "a1",
  name: "computer_click_mouse",
  input: { button: "left", clickCount: 1 }
} as const
const typing = { type: "tool_use", id: "a2", name: "computer_type_text", input: { text: "not any more" } } as const

const create = (url: string, description: string) =>
  Effect.map(request(url, "POST", "/tasks", { description }), ({ json }) => decodeTask(json).id)

const show = (url: string, id: string) =>
  Effect.map(request(url, "GET", `/tasks/${id}`), ({ json }) => decodeTask(json))

const untilStatus = (url: string, id: string, status: string) =>
  until(
    `${id} ${status}`,
    Effect.map(show(url, id), (task) => (task.status === status ? task : undefined))
  )

const Content = Schema.Array(Schema.Record(Schema.String, Schema.Json))
const decodeMessages = Schema.decodeUnknownSync(Schema.Array(Schema.Struct({ role: Schema.String, content: Content })))
const messages = (url: string, id: string) =>
  Effect.map(request(url, "GET", `/tasks/${id}/messages?limit=100`), ({ json }) => decodeMessages(json))

const types = (content: typeof Content.Type) => content.map((block) => block.type)

layer(World.layer, { timeout: "60 seconds", excludeTestServices: true })("user control", (test) => {
  test.effect("a takeover lets the action in flight end, sends no other, captures the user, and resume goes on", () =>
    Effect.gen(function* () {
      const { desktop, model, url } = yield* World
      model.enqueue({ content: [click, typing] })
      const release = desktop.hold("click_mouse")
      const id = yield* create(url, "takeover")
      yield* Effect.promise(() => desktop.waitForRequest("click_mouse"))
      const taken = yield* request(url, "POST", `/tasks/${id}/takeover`)
      assert.strictEqual(taken.status, 200)
      release()
      yield* Effect.promise(() => desktop.waitForRequest("POST /input-tracking/start"))
      yield* Effect.promise(() => desktop.waitForSocket())
      yield* until(
        "tracking",
        Effect.sync(() => desktop.tracking() || undefined)
      )
      assert.isFalse(desktop.actions().includes("type_text"))

      yield* until(
        "the user's action is stored",
        Effect.gen(function* () {
          desktop.emitUserAction({ action: "type_text", text: "mine", delay: 3 })
          const stored = yield* messages(url, id)
          return stored.find(({ content }) => types(content)[0] === "user_action")
        })
      )
      const [, reply, results] = yield* messages(url, id)
      assert.deepStrictEqual(types(reply?.content ?? []), ["tool_use", "tool_use"])
      assert.deepStrictEqual(
        results?.content.map((block) => [block.tool_use_id, block.is_error ?? false]),
        [
          ["a1", false],
          ["a2", true]
        ]
      )
      const resumed = yield* request(url, "POST", `/tasks/${id}/resume`)
      assert.strictEqual(resumed.status, 200)
      const done = yield* untilStatus(url, id, "COMPLETED")
      assert.strictEqual(done.control, "ASSISTANT")
      yield* until(
        "tracking ends",
        Effect.sync(() => (desktop.tracking() ? undefined : true))
      )
      assert.deepStrictEqual(
        model.rejected.map(({ error }) => error),
        []
      )
      assert.isTrue(JSON.stringify(model.requests.at(-1)?.body).includes("User performed action: computer_type_text"))
    }).pipe(Effect.scoped)
  )

  test.effect("a cancel during an action sends no other, and a completed in the same reply does not count", () =>
    Effect.gen(function* () {
      const { desktop, model, url } = yield* World
      model.reset()
      desktop.reset()
      model.enqueue({
        content: [
          click,
          typing,
          { type: "tool_use", id: "a3", name: "set_task_status", input: { status: "completed", description: "x" } }
        ]
      })
      const release = desktop.hold("click_mouse")
      const id = yield* create(url, "cancel")
      yield* Effect.promise(() => desktop.waitForRequest("click_mouse"))
      assert.strictEqual((yield* request(url, "POST", `/tasks/${id}/cancel`)).status, 200)
      release()
      const stored = yield* until(
        "results",
        Effect.map(messages(url, id), (all) => (all.length === 3 ? all : undefined))
      )
      assert.strictEqual(stored[2]?.content.length, 3)
      assert.strictEqual((yield* show(url, id)).status, "CANCELLED")
      assert.isFalse(desktop.actions().includes("type_text"))
    })
  )

  test.effect("a deleted task stops, and the next one runs", () =>
    Effect.gen(function* () {
      const { desktop, model, url } = yield* World
      model.reset()
      desktop.reset()
      model.enqueue({ hang: true })
      const id = yield* create(url, "delete")
      yield* Effect.promise(() => model.waitForRequest(1))
      assert.strictEqual((yield* request(url, "DELETE", `/tasks/${id}`)).status, 204)
      yield* Effect.promise(() => model.waitFor((requests) => requests[0]?.aborted === true))
      const next = yield* create(url, "after the deleted one")
      yield* untilStatus(url, next, "COMPLETED")
    })
  )

  test.effect(
    "an urgent task goes before one that waits longer, a message reaches the model, and a scheduled task waits",
    () =>
      Effect.gen(function* () {
        const { model, url } = yield* World
        model.reset()
        let answer: (() => void) | undefined
        const held = new Promise<void>((resolve) => {
          answer = resolve
        })
        model.enqueue(async () => {
          await held
          return { content: [{ type: "tool_use", name: "computer_screenshot", input: {} }] }
        })
        const first = yield* create(url, "first")
        yield* Effect.promise(() => model.waitForRequest(1))
        const low = decodeTask((yield* request(url, "POST", "/tasks", { description: "low", priority: "LOW" })).json)
        const urgent = decodeTask(
          (yield* request(url, "POST", "/tasks", { description: "urgent", priority: "URGENT" })).json
        )
        const later = decodeTask(
          (yield* request(url, "POST", "/tasks", {
            description: "later",
            type: "SCHEDULED",
            scheduledFor: "2099-01-01T00:00:00Z"
          })).json
        )
        yield* request(url, "POST", `/tasks/${first}/messages`, { message: "mind the gap" })
        answer?.()
        yield* untilStatus(url, low.id, "COMPLETED")
        yield* untilStatus(url, urgent.id, "COMPLETED")
        assert.strictEqual((yield* show(url, later.id)).status, "PENDING")
        const asked = model.requests.map(({ body }) => JSON.stringify(body.messages))
        assert.isTrue(asked[1]?.includes("mind the gap"))
        assert.isTrue(asked[2]?.includes("urgent"))
        assert.isTrue(asked[3]?.includes("low"))
        assert.deepStrictEqual(model.rejected, [])
      })
  )

  test.effect("failed and create_task with bad input are told to the model or the user", () =>
    Effect.gen(function* () {
      const { model, url } = yield* World
      model.reset()
      model.enqueue(
        {
          content: [
            { type: "tool_use", id: "c1", name: "create_task", input: { description: "x", scheduledFor: "whenever" } }
          ]
        },
        { content: [{ type: "tool_use", id: "c2", name: "frobnicate", input: { a: 1 } }] },
        {
          content: [
            { type: "tool_use", id: "c3", name: "set_task_status", input: { status: "paused", description: "x" } }
          ]
        },
        {
          content: [
            { type: "tool_use", id: "c4", name: "set_task_status", input: { status: "failed", description: "cannot" } }
          ]
        }
      )
      const id = yield* create(url, "odd input")
      const failed = yield* untilStatus(url, id, "FAILED")
      assert.strictEqual(failed.error, "cannot")
      const results = (yield* messages(url, id)).filter(({ content }) => types(content)[0] === "tool_result")
      assert.deepStrictEqual(
        results.map(({ content }) => content[0]?.is_error),
        [true, true, true, false]
      )
      assert.deepStrictEqual(model.rejected, [])
    })
  )
})
