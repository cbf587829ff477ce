import { assert, layer } from "@effect/vitest"
import { Effect } from "effect"
import type { MessagesRequest } from "../emulators/anthropicRequest.ts"
import type { Scripted } from "../emulators/modelReplies.ts"
import { encodePng } from "../emulators/png.ts"
import { command, createTask, messagesOf, refusals, reset, Stage, untilStatus } from "../support/Stage.ts"

/** What a model is told of its surroundings. The emulator refuses reasoning after an edited conversation, as newer models do. */

const think = (name: string, input: unknown): Scripted => ({
  content: [
    { type: "thinking", thinking: "hm" },
    { type: "tool_use", name, input }
  ]
})
const finish = think("set_task_status", { status: "completed", description: "ok" })
const wait = (duration: number) => think("computer_wait", { duration })

const thoughts = (body: MessagesRequest | undefined): number =>
  JSON.stringify(body?.messages).split(`"thinking":"hm"`).length - 1

layer(Stage.layer(), { timeout: "60 seconds", excludeTestServices: true })("the clock", (test) => {
  test.effect("in the newest turn leaves reasoning and prompt cache as they are, also after a takeover", () =>
    Effect.gen(function* () {
      yield* reset
      const { model } = yield* Stage
      model.enqueue(wait(1), wait(2), { hang: true })
      const id = yield* createTask("long")
      yield* Effect.promise(() => model.waitForRequest(3))
      assert.strictEqual(yield* command(id, "takeover"), 200)
      model.enqueue(wait(3), finish)
      assert.strictEqual(yield* command(id, "resume"), 200)
      yield* untilStatus(id, "COMPLETED")
      assert.deepStrictEqual(yield* refusals, [])
      const bodies = model.requests.map(({ body }) => body)
      for (const body of bodies) {
        const newest = JSON.stringify(body.messages.at(-1))
        assert.match(newest, /\(It is \d{4}-\d\d-\d\d \d\d:\d\d\.\)/)
        assert.deepStrictEqual(body.system, bodies[0]?.system)
      }
      assert.deepStrictEqual(bodies.map(thoughts), [0, 1, 2, 2, 3])
      assert.deepStrictEqual(
        model.requests.map(({ cacheRead }) => cacheRead),
        [null, "messages", "messages", "messages", "messages"]
      )
      // Clients see nothing of it.
      assert.notInclude(JSON.stringify(yield* messagesOf(id)), "(It is")
    })
  )
})

const picture = (width: number, height: number): string =>
  encodePng({ width, height, rgba: new Uint8Array(width * height * 4).fill(255) }).toString("base64")

layer(Stage.layer({}, { screenshot: picture(1920, 1080) }), { timeout: "60 seconds", excludeTestServices: true })(
  "a screen of another size",
  (test) => {
    test.effect("is told once, with the first picture that has it", () =>
      Effect.gen(function* () {
        yield* reset
        const { model } = yield* Stage
        model.enqueue(think("computer_screenshot", {}), wait(1), finish)
        const id = yield* createTask("look")
        yield* untilStatus(id, "COMPLETED")
        assert.deepStrictEqual(yield* refusals, [])
        const told = model.requests.map(
          ({ body }) => JSON.stringify(body.messages).split("The screen is 1920 pixels wide and 1080 high").length - 1
        )
        assert.deepStrictEqual(told, [0, 1, 1])
        assert.deepStrictEqual(
          model.requests.map(({ body }) => thoughts(body)),
          [0, 1, 2]
        )
      })
    )
  }
)

layer(Stage.layer({ BYTEBOT_DESKTOP_APPLICATIONS: "firefox = browser, blender=3D, terminal" }), {
  timeout: "60 seconds",
  excludeTestServices: true
})("applications of the settings", (test) => {
  test.effect("are those that the model is told of and offered", () =>
    Effect.gen(function* () {
      yield* reset
      const { model } = yield* Stage
      const id = yield* createTask("open something")
      yield* untilStatus(id, "COMPLETED")
      const body = model.requests[0]?.body
      assert.include(JSON.stringify(body?.system), "Applications: firefox (browser), blender (3D), terminal.")
      assert.include(JSON.stringify(body?.tools), `"enum":["firefox","blender","terminal"]`)
    })
  )
})
