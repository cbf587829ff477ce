import { assert, it, layer } from "@effect/vitest"
import { Effect } from "effect"
import * as Anthropic from "../emulators/anthropic.ts"
import * as Desktop from "../emulators/desktop.ts"
import { request } from "../support/RestClient.ts"
import { freePort } from "../support/ServiceProcess.ts"
import { command, createTask, messagesOf, refusals, reset, Stage, showTask, untilStatus } from "../support/Stage.ts"
import { migrated } from "../support/TestDatabase.ts"
import { startService } from "../support/TestService.ts"
import { until } from "../support/Waiting.ts"

/** What a person does on the desktop becomes messages of the task that the person holds (docs/contract/agent.md, "User control"). */

const click = { type: "tool_use", name: "computer_click_mouse", input: { button: "left", clickCount: 1 } } as const

/** The person's actions in the task, as names of tools. */
const capturedIn = (id: string) =>
  Effect.map(messagesOf(id), (messages) =>
    messages.flatMap(({ content }) => (content[0]?.type === "user_action" ? [content[0].content] : []))
  )

const untilUntracked = (desktop: Desktop.DesktopEmulator) =>
  until(
    "tracking ends",
    Effect.sync(() => (desktop.tracking() ? undefined : true))
  )

/** Acts as a person, again and again, until the task has an action more; that action. */
const actInto = Effect.fnUntraced(function* (
  id: string,
  action: Parameters<Desktop.DesktopEmulator["emitUserAction"]>[0]
) {
  const { desktop } = yield* Stage
  const before = (yield* capturedIn(id)).length
  return yield* until(
    `${action.action} is stored`,
    Effect.gen(function* () {
      desktop.emitUserAction(action)
      return (yield* capturedIn(id))[before]
    })
  )
})

layer(Stage.layer({ BYTEBOT_SETTLE_DELAY: "400" }, { reportOwnActions: true }), {
  timeout: "60 seconds",
  excludeTestServices: true
})("the capture of a person's input", (test) => {
  // golden/agent-takeover-second-task-captures-into-first.json: the original captures while another task runs.
  test.effect(
    "stores what a person does for a waiting task while another task runs, and none of the agent's own actions",
    () =>
      Effect.gen(function* () {
        yield* reset
        const { desktop, model } = yield* Stage
        const next = Promise.withResolvers<void>()
        model.enqueue(
          async () => {
            await next.promise
            return { content: [click] }
          },
          { hang: true }
        )
        const running = yield* createTask("runs")
        yield* Effect.promise(() => model.waitForRequest(1))
        const waiting = yield* createTask("waits")
        assert.strictEqual(yield* command(waiting, "takeover"), 200)
        yield* actInto(waiting, { action: "type_keys", keys: ["Escape"] })
        assert.isFalse(model.requests[0]?.aborted)
        next.resolve()
        yield* Effect.promise(() => model.waitForRequest(2))
        yield* actInto(waiting, { action: "type_keys", keys: ["Escape"] })
        const stored = JSON.stringify(yield* capturedIn(waiting))
        assert.lengthOf(
          desktop.executed.filter(({ action }) => action === "click_mouse"),
          1
        )
        assert.notInclude(stored, "click_mouse")
        assert.lengthOf(yield* capturedIn(running), 0)
        assert.strictEqual((yield* showTask(running)).status, "RUNNING")
        yield* command(running, "cancel")
        assert.strictEqual(yield* command(waiting, "resume"), 200)
        yield* untilStatus(waiting, "COMPLETED")
        assert.include(JSON.stringify(model.requests.at(-1)?.body), "User performed action: computer_type_keys")
        assert.deepStrictEqual(yield* refusals, [])
      })
  )

  test.effect("begins when a cancelled task is taken over, and a resume hands the actions to the model", () =>
    Effect.gen(function* () {
      yield* reset
      const { desktop, model } = yield* Stage
      model.enqueue({ hang: true })
      const id = yield* createTask("cancelled")
      yield* Effect.promise(() => model.waitForRequest(1))
      assert.strictEqual(yield* command(id, "cancel"), 200)
      assert.strictEqual(yield* command(id, "takeover"), 200)
      yield* Effect.promise(() => desktop.waitForRequest("POST /input-tracking/start"))
      yield* actInto(id, { action: "type_text", text: "after all" })
      assert.strictEqual((yield* showTask(id)).status, "CANCELLED")
      assert.strictEqual(yield* command(id, "resume"), 200)
      yield* untilStatus(id, "COMPLETED")
      assert.include(JSON.stringify(model.requests.at(-1)?.body), "User performed action: computer_type_text")
      yield* untilUntracked(desktop)
    })
  )

  test.effect("begins although the daemon fails to report input at first", () =>
    Effect.gen(function* () {
      yield* reset
      const { desktop, model } = yield* Stage
      model.enqueue({ hang: true })
      const id = yield* createTask("the daemon stumbles")
      yield* Effect.promise(() => model.waitForRequest(1))
      desktop.fault({ match: "POST /input-tracking/start", status: 500 })
      assert.strictEqual(yield* command(id, "takeover"), 200)
      yield* actInto(id, { action: "type_text", text: "all the same" })
      assert.strictEqual(yield* command(id, "cancel"), 200)
      yield* untilUntracked(desktop)
    })
  )

  test.effect("ends when the captured task is cancelled", () =>
    Effect.gen(function* () {
      yield* reset
      const { desktop, model } = yield* Stage
      model.enqueue({ hang: true })
      const id = yield* createTask("taken over, then cancelled")
      yield* Effect.promise(() => model.waitForRequest(1))
      assert.strictEqual(yield* command(id, "takeover"), 200)
      yield* actInto(id, { action: "type_text", text: "mine" })
      assert.strictEqual(yield* command(id, "cancel"), 200)
      yield* untilUntracked(desktop)
    })
  )
})

layer(Stage.layer({}, { screenshot: Buffer.from("not a picture").toString("base64") }), {
  timeout: "60 seconds",
  excludeTestServices: true
})("the capture of a click whose picture is not a PNG", (test) => {
  test.effect("stores the click without the picture", () =>
    Effect.gen(function* () {
      yield* reset
      const { model } = yield* Stage
      model.enqueue({ hang: true })
      const id = yield* createTask("no picture")
      yield* Effect.promise(() => model.waitForRequest(1))
      assert.strictEqual(yield* command(id, "takeover"), 200)
      const stored = yield* actInto(id, {
        action: "click_mouse",
        button: "left",
        coordinates: { x: 3, y: 4 },
        clickCount: 1
      })
      assert.include(JSON.stringify(stored), "computer_click_mouse")
      assert.notInclude(JSON.stringify(stored), "image")
    })
  )
})

it.live(
  "a daemon that is started again reports a person's input to the task that the person holds",
  () =>
    Effect.gen(function* () {
      const model = yield* Anthropic.scoped()
      const port = yield* freePort
      const first = yield* Effect.promise(() => Desktop.start({ port }))
      const service = yield* startService({
        DATABASE_URL: yield* migrated,
        ANTHROPIC_API_KEY: "test-key",
        ANTHROPIC_BASE_URL: model.url,
        BYTEBOT_DESKTOP_BASE_URL: first.url
      })
      const on = <A, E>(desktop: Desktop.DesktopEmulator, effect: Effect.Effect<A, E, Stage>) =>
        Effect.provideService(effect, Stage, { ...service, model, desktop })
      const id = yield* on(first, createTask("later", { scheduledFor: "2099-01-01T00:00:00Z" }))
      assert.strictEqual(yield* on(first, command(id, "takeover")), 200)
      yield* on(first, actInto(id, { action: "type_text", text: "before" }))
      yield* Effect.promise(() => first.close())
      const second = yield* Desktop.scoped({ port })
      yield* on(second, actInto(id, { action: "type_text", text: "after" }))
    }).pipe(Effect.scoped),
  60_000
)

it.live(
  "a service that starts again goes on capturing for a waiting task that a person holds",
  () =>
    Effect.gen(function* () {
      const model = yield* Anthropic.scoped()
      const desktop = yield* Desktop.scoped()
      const variables = {
        DATABASE_URL: yield* migrated,
        SHUTDOWN_TIMEOUT: "1000",
        ANTHROPIC_API_KEY: "test-key",
        ANTHROPIC_BASE_URL: model.url,
        BYTEBOT_DESKTOP_BASE_URL: desktop.url
      }
      const begun = Effect.map(startService(variables), (service) => ({ ...service, model, desktop }))
      const id = yield* begun.pipe(
        Effect.flatMap((stage) =>
          Effect.gen(function* () {
            const scheduled = yield* createTask("later", { scheduledFor: "2099-01-01T00:00:00Z" })
            assert.strictEqual(yield* command(scheduled, "takeover"), 200)
            yield* actInto(scheduled, { action: "type_text", text: "before" })
            return scheduled
          }).pipe(Effect.provideService(Stage, stage))
        ),
        Effect.scoped
      )
      yield* begun.pipe(
        Effect.flatMap((stage) =>
          Effect.gen(function* () {
            yield* actInto(id, { action: "type_text", text: "after" })
            assert.strictEqual((yield* request(stage.url, "POST", `/tasks/${id}/resume`)).status, 200)
            yield* Effect.promise(() => desktop.waitForRequest("POST /input-tracking/stop"))
          }).pipe(Effect.provideService(Stage, stage))
        ),
        Effect.scoped
      )
    }).pipe(Effect.scoped),
  60_000
)
