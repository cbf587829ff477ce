import { NodeHttpClient } from "@effect/platform-node"
import { assert, layer } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { Settings } from "../../src/config/Settings.ts"
import { Desktops } from "../../src/desktop/Desktops.ts"
import * as Desktop from "../emulators/desktop.ts"
import { freePort } from "../support/ServiceProcess.ts"

/** What the client of a desktop makes of failures: whether the action was carried out, and whether the desktop is there. */

const click = { action: "click_mouse", parameters: { button: "left", clickCount: 1 } } as const
const anytime = Number.POSITIVE_INFINITY

const services = Layer.mergeAll(NodeHttpClient.layerNodeHttp, Settings.layerFrom({}))

layer(Desktops.layer.pipe(Layer.provide(services)), { excludeTestServices: true })("a desktop", (test) => {
  test.effect("an action on a desktop that refuses connections was not carried out", () =>
    Effect.gen(function* () {
      const { at } = yield* Desktops
      const desktop = at(`http://127.0.0.1:${yield* freePort}`)
      const error = yield* Effect.flip(desktop.perform(click, "k", anytime))
      assert.deepStrictEqual(
        [error.reason, error.message],
        ["NotReached", "the desktop can't be reached, nothing was done"]
      )
      assert.strictEqual(desktop.contact.state._tag, "Doubtful")
    })
  )

  test.effect(
    "an action whose connection breaks has an unknown outcome; a screenshot's error does not advise to look",
    () =>
      Effect.gen(function* () {
        const emulator = yield* Desktop.scoped()
        const desktop = (yield* Desktops).at(emulator.url)
        emulator.fault({ match: "click_mouse", drop: true, executed: true })
        const error = yield* Effect.flip(desktop.perform(click, "k", anytime))
        assert.strictEqual(error.reason, "NotAnswered")
        assert.include(error.message, "may or may not have taken effect")
        assert.lengthOf(emulator.executed, 1)
        emulator.fault({ match: "cursor_position", drop: true })
        const look = yield* Effect.flip(desktop.cursorPosition)
        assert.notInclude(look.message, "may or may not")
      })
  )

  test.effect("a desktop that refuses a request counts as reachable", () =>
    Effect.gen(function* () {
      const emulator = yield* Desktop.scoped()
      const desktop = (yield* Desktops).at(emulator.url)
      emulator.fault({ match: "click_mouse", status: 500, times: 5 })
      for (let count = 0; count < 5; count++) {
        const error = yield* Effect.flip(desktop.perform(click, "k", anytime))
        assert.strictEqual(error.reason, "Refused")
      }
      assert.strictEqual(desktop.contact.state._tag, "Answering")
      yield* desktop.probe
      assert.strictEqual(desktop.contact.state._tag, "Answering")
    })
  )

  test.effect(
    "a desktop is lost after three requests in a row without an answer, also behind a proxy, and found by one answer",
    () =>
      Effect.gen(function* () {
        const emulator = yield* Desktop.scoped()
        const { contact, probe, screenshot } = (yield* Desktops).at(emulator.url)
        assert.strictEqual(contact.state._tag, "Unknown")
        yield* probe
        emulator.fault({ match: "GET /", status: 503, times: 3 })
        const seen: Array<string> = []
        const pauses: Array<number> = []
        for (let count = 0; count < 3; count++) {
          yield* probe
          seen.push(contact.state._tag)
          pauses.push(contact.pause)
        }
        assert.deepStrictEqual(seen, ["Doubtful", "Doubtful", "Lost"])
        assert.deepStrictEqual(pauses, [250, 500, 1000])
        yield* screenshot
        assert.strictEqual(contact.state._tag, "Answering")
      })
  )
})
