import { assert, layer } from "@effect/vitest"
import { Effect } from "effect"
import { goldenScreenshot } from "../emulators/golden.ts"
import type { Scripted } from "../emulators/modelReplies.ts"
import { command, createTask, messagesOf, refusals, reset, Stage, untilStatus } from "../support/Stage.ts"

/** What keeps a task from going on for ever. */

const say = (text: string): Scripted => ({ content: [{ type: "text", text }] })
const click: Scripted = {
  content: [{ type: "tool_use", name: "computer_click_mouse", input: { button: "left", clickCount: 1 } }]
}
const look: Scripted = { content: [{ type: "tool_use", name: "computer_cursor_position", input: {} }] }
const finish: Scripted = {
  content: [{ type: "tool_use", name: "set_task_status", input: { status: "completed", description: "ok" } }]
}

const notesOf = Effect.fnUntraced(function* (id: string) {
  const messages = yield* messagesOf(id)
  return messages.flatMap(({ content }) =>
    content.flatMap(({ text }) => (typeof text === "string" && text.startsWith("Note from the service") ? [text] : []))
  )
})

layer(
  Stage.layer(
    { BYTEBOT_TASK_TOKEN_BUDGET: "5000", BYTEBOT_TASK_COST_BUDGET: "0.5", BYTEBOT_MAX_ITERATIONS: "12" },
    { screenshot: goldenScreenshot }
  ),
  {
    timeout: "60 seconds",
    excludeTestServices: true
  }
)("a stuck task", (test) => {
  test.effect("three answers without a tool bring a nudge, another one a person", () =>
    Effect.gen(function* () {
      yield* reset
      const { model } = yield* Stage
      model.enqueue(say("one"), say("two"), say("three"), say("four"))
      const id = yield* createTask("talk")
      const { control, error } = yield* untilStatus(id, "NEEDS_HELP")
      assert.deepStrictEqual([control, error], ["USER", "The model answers without acting"])
      assert.strictEqual(model.requests.length, 4)
      assert.strictEqual((yield* notesOf(id)).length, 1)
      assert.include(JSON.stringify(model.requests[3]?.body.messages.at(-1)), "used no tool")
      assert.deepStrictEqual(yield* refusals, [])
    })
  )

  test.effect("a nudge that helps is forgotten", () =>
    Effect.gen(function* () {
      yield* reset
      const { model } = yield* Stage
      model.enqueue(say("one"), say("two"), say("three"), look, say("four"), say("five"), finish)
      const id = yield* createTask("talk less")
      yield* untilStatus(id, "COMPLETED")
      assert.strictEqual((yield* notesOf(id)).length, 1)
    })
  )

  test.effect("the same action with the same result five times brings a nudge, once more a person", () =>
    Effect.gen(function* () {
      yield* reset
      const { desktop, model } = yield* Stage
      model.setDefault(click)
      const id = yield* createTask("click on")
      const { error } = yield* untilStatus(id, "NEEDS_HELP")
      assert.strictEqual(error, "The model repeated the same action 6 times, without effect")
      assert.strictEqual(desktop.actions().filter((action) => action === "click_mouse").length, 6)
      assert.strictEqual((yield* notesOf(id)).length, 1)
    })
  )

  test.effect("an action between equal ones starts the count anew", () =>
    Effect.gen(function* () {
      yield* reset
      const { model } = yield* Stage
      model.enqueue(click, click, click, click, look, click, click, click, click, finish)
      const id = yield* createTask("click and look")
      yield* untilStatus(id, "COMPLETED")
      assert.deepStrictEqual(yield* notesOf(id), [])
    })
  )

  test.effect("a task that spent its tokens asks for help, and gets as many again when it is handed back", () =>
    Effect.gen(function* () {
      yield* reset
      const { model } = yield* Stage
      const usage = { input_tokens: 2400, output_tokens: 100 }
      const step = (name: string): Scripted => ({ content: [{ type: "tool_use", name, input: {} }], usage })
      model.enqueue(step("computer_cursor_position"), step("computer_screenshot"), finish)
      const id = yield* createTask("spend")
      const { error } = yield* untilStatus(id, "NEEDS_HELP")
      assert.strictEqual(error, "The task used up its budget of 5000 tokens")
      assert.strictEqual(model.requests.length, 2)
      assert.strictEqual(yield* command(id, "resume"), 200)
      const done = yield* untilStatus(id, "COMPLETED")
      assert.strictEqual(done.error, null)
    })
  )

  test.effect("a task that spent its money asks for help", () =>
    Effect.gen(function* () {
      yield* reset
      const { model } = yield* Stage
      model.enqueue({
        content: [{ type: "tool_use", name: "computer_screenshot", input: {} }],
        usage: { input_tokens: 100, output_tokens: 30_000 }
      })
      const id = yield* createTask("rich", { model: { provider: "anthropic", name: "claude-opus-5-5" } })
      const { error } = yield* untilStatus(id, "NEEDS_HELP")
      assert.match(error ?? "", /budget of (5000 tokens|0.5 US dollars)/)
    })
  )

  test.effect("a task has a limited number of iterations", () =>
    Effect.gen(function* () {
      yield* reset
      const { model } = yield* Stage
      model.setDefault((_, { index }) => ({
        content: [{ type: "tool_use", name: "computer_wait", input: { duration: index + 1 } }]
      }))
      const id = yield* createTask("wait")
      const { error } = yield* untilStatus(id, "NEEDS_HELP")
      assert.strictEqual(error, "The task used all of its 12 iterations")
      assert.strictEqual(model.requests.length, 12)
    })
  )
})

layer(Stage.layer({}, { screenshot: goldenScreenshot }), { timeout: "60 seconds", excludeTestServices: true })(
  "a task that waits",
  (test) => {
    const wait = (duration: number): Scripted => ({
      content: [{ type: "tool_use", name: "computer_wait", input: { duration } }]
    })
    const screenshot: Scripted = { content: [{ type: "tool_use", name: "computer_screenshot", input: {} }] }

    test.effect("may do so for long, though the screen does not change", () =>
      Effect.gen(function* () {
        yield* reset
        const { model } = yield* Stage
        model.enqueue(...Array.from({ length: 45 }, () => wait(30_000)), finish)
        const id = yield* createTask("install")
        yield* untilStatus(id, "COMPLETED")
        assert.deepStrictEqual(yield* notesOf(id), [])
      })
    )

    test.effect("for more than an hour is nudged, then a person is asked", () =>
      Effect.gen(function* () {
        yield* reset
        const { model } = yield* Stage
        model.setDefault(wait(600_000))
        const id = yield* createTask("install for ever")
        const { error } = yield* untilStatus(id, "NEEDS_HELP")
        assert.strictEqual(error, "The model has only waited for 70 minutes")
        assert.lengthOf(yield* notesOf(id), 1)
        assert.lengthOf(model.requests, 7)
      })
    )

    test.effect("and looks by turns at the same screen is nudged, then a person is asked", () =>
      Effect.gen(function* () {
        yield* reset
        const { model } = yield* Stage
        model.enqueue(...Array.from({ length: 200 }, (_, index) => (index % 2 === 0 ? wait(1_000) : screenshot)))
        const id = yield* createTask("stare")
        const { error } = yield* untilStatus(id, "NEEDS_HELP")
        assert.strictEqual(error, "The model looks again and again at a screen that does not change")
        assert.lengthOf(yield* notesOf(id), 1)
        assert.lengthOf(model.requests, 40)
      })
    )
  }
)
