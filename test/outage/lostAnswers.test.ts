import { assert, layer } from "@effect/vitest"
import { Effect } from "effect"
import * as Desktop from "../emulators/desktop.ts"
import type { Batch } from "../support/PostgresTap.ts"
import { command, createTask, messagesOf, Stage } from "../support/Stage.ts"
import { until } from "../support/Waiting.ts"
import { Server, setUp } from "./OutageStage.ts"

/** A change whose answer was lost is read again; desktops that it does not concern do nothing. */

/** The connection falls silent once, when it carries a statement that `isMeant`; the statement is carried out. */
const muteOnce = () => {
  let isMeant: ((text: string) => boolean) | undefined
  return {
    decide: ({ texts }: Batch) => {
      if (isMeant === undefined || !texts.some(isMeant)) return "pass" as const
      isMeant = undefined
      return "mute" as const
    },
    next: (condition: (text: string) => boolean) => {
      isMeant = condition
    }
  }
}

const typedInto = (id: string) =>
  Effect.map(messagesOf(id), (messages) => messages.filter(({ content }) => content[0]?.type === "user_action").length)

/** Types on the desktop until the task has it. */
const typeInto = Effect.fnUntraced(function* (desktop: Desktop.DesktopEmulator, id: string) {
  const before = yield* typedInto(id)
  yield* until(
    "what was typed is stored",
    Effect.gen(function* () {
      desktop.emitUserAction({ action: "type_keys", keys: ["Escape"] })
      return (yield* typedInto(id)) > before ? true : undefined
    })
  )
})

layer(Server.layer, { timeout: "60 seconds", excludeTestServices: true })("a lost answer", (test) => {
  test.effect("of a takeover or a resume changes nothing on other desktops, and is acted upon where it belongs", () =>
    Effect.gen(function* () {
      const lost = muteOnce()
      const a = yield* Desktop.scoped()
      const b = yield* Desktop.scoped()
      const stage = yield* setUp({ BYTEBOT_DESKTOP_BASE_URL: `a=${a.url},b=${b.url}` }, lost.decide)
      yield* Effect.gen(function* () {
        const { model } = stage
        model.setDefault({ hang: true })
        const ids = [yield* createTask("on a", { desktop: "a" }), yield* createTask("on b", { desktop: "b" })] as const
        yield* Effect.promise(() => model.waitForRequest(2))
        const [onA, onB] = ids
        assert.strictEqual(yield* command(onB, "takeover"), 200)
        yield* typeInto(b, onB)
        lost.next((text) => text.includes(`"control" = 'USER'`))
        assert.strictEqual(yield* command(onA, "takeover"), 503)
        yield* typeInto(a, onA)
        for (let count = 0; count < 5; count++) yield* typeInto(b, onB)
        const starts = b.requests.filter(({ req }) => req === "POST /input-tracking/start")
        assert.lengthOf(starts, 1)
        const before = yield* typedInto(onA)
        lost.next((text) => text.includes(`"control" = 'ASSISTANT', "status" = 'RUNNING'`))
        assert.strictEqual(yield* command(onA, "resume"), 503)
        yield* Effect.promise(() => a.waitForRequest("POST /input-tracking/stop"))
        for (let count = 0; count < 5; count++) yield* typeInto(b, onB)
        assert.strictEqual(yield* typedInto(onA), before)
        assert.isTrue(b.tracking())
        yield* Effect.promise(() => model.waitForRequest(3))
      }).pipe(Effect.provideService(Stage, { ...stage, sql: stage.direct }))
    }).pipe(Effect.scoped)
  )
})
