import { assert, layer } from "@effect/vitest"
import { Effect } from "effect"
import { command, createTask, messagesOf, Stage, showTask, untilStatus } from "../support/Stage.ts"
import { until } from "../support/Waiting.ts"
import { click, done, held, Machines, machineNamed, reset, untilHeldBy, untilState } from "./DesktopsStage.ts"

/** Desktops that stop answering, and answer again. */

const file = { name: "notes.txt", base64: "aGVsbG8=", type: "text/plain", size: 5 }

const resultsOf = (id: string) =>
  Effect.map(messagesOf(id), (messages) =>
    messages.flatMap(({ content }) => content.filter(({ type }) => type === "tool_result"))
  )

/** A task on desktop `a` whose model waits to say what comes next; the number of calls so far is 1. */
const begin = Effect.gen(function* () {
  yield* reset
  const { model } = yield* Stage
  return { model, a: yield* machineNamed("a"), b: yield* machineNamed("b") }
})

const untilWaiting = (id: string) =>
  until(
    "the task says what it waits for",
    Effect.map(showTask(id), ({ error }) => error ?? undefined)
  )

layer(Machines.layer(), { timeout: "60 seconds", excludeTestServices: true })(
  "a desktop that is switched off",
  (test) => {
    test.effect("keeps its task waiting, which costs no model call, and goes on with it when it is back", () =>
      Effect.gen(function* () {
        const { a, model } = yield* begin
        const next = held(click, { type: "tool_use", name: "computer_type_text", input: { text: "after" } })
        model.script("patient", next.reply)
        const id = yield* createTask("patient", { desktop: "a" })
        yield* Effect.promise(() => model.waitForRequest(1))
        yield* a.switchOff
        yield* untilState("a", "unreachable")
        next.answer()
        assert.strictEqual(yield* untilWaiting(id), "Waiting for the desktop: a does not answer")
        const other = yield* createTask("for the others")
        yield* untilStatus(other, "COMPLETED")
        const waiting = yield* showTask(id)
        assert.deepStrictEqual([waiting.status, model.requests.length], ["RUNNING", 2])
        assert.lengthOf(yield* resultsOf(id), 0)
        yield* a.switchOn
        const { error } = yield* untilStatus(id, "COMPLETED")
        assert.isNull(error)
        const { executed } = a.emulator()
        assert.deepStrictEqual(
          executed.map(({ action }) => action).filter((action) => action !== "screenshot"),
          ["click_mouse", "type_text"]
        )
        assert.deepStrictEqual(model.rejected, [])
      })
    )

    test.effect("has tasks that have not begun say what they wait for, and say so no longer once it is back", () =>
      Effect.gen(function* () {
        const { a, b, model } = yield* begin
        const [c] = [yield* machineNamed("c")]
        yield* a.switchOff
        yield* untilState("a", "unreachable")
        const bound = yield* createTask("for a", { desktop: "a" })
        assert.strictEqual(yield* untilWaiting(bound), "Waiting for the desktop: a does not answer")
        yield* b.switchOff
        yield* c.switchOff
        yield* untilState("b", "unreachable")
        yield* untilState("c", "unreachable")
        const free = yield* createTask("for any")
        assert.strictEqual(yield* untilWaiting(free), "Waiting for a desktop: none answers")
        assert.strictEqual((yield* showTask(free)).status, "PENDING")
        model.script("for any", { content: [done] })
        yield* b.switchOn
        assert.isNull((yield* untilStatus(free, "COMPLETED")).error)
        assert.deepInclude(yield* showTask(bound), {
          status: "PENDING",
          error: "Waiting for the desktop: a does not answer"
        })
        model.script("for a", { content: [done] })
        yield* a.switchOn
        assert.isNull((yield* untilStatus(bound, "COMPLETED")).error)
        yield* c.switchOn
      })
    )

    test.effect("does not get an action twice: the outcome of what had no answer is unknown", () =>
      Effect.gen(function* () {
        const { a, model } = yield* begin
        model.script("broken", { content: [click, click] })
        const release = a.emulator().hold("click_mouse")
        const id = yield* createTask("broken", { desktop: "a" })
        yield* Effect.promise(() => a.emulator().waitForRequest("click_mouse"))
        yield* a.switchOff
        release()
        yield* untilWaiting(id)
        yield* a.switchOn
        yield* untilStatus(id, "COMPLETED")
        const [first, second] = yield* resultsOf(id)
        assert.deepStrictEqual([first?.is_error, second?.is_error ?? false], [true, false])
        assert.include(JSON.stringify(first), "the action may or may not have taken effect")
        assert.lengthOf(
          a.emulator().executed.filter(({ action }) => action === "click_mouse"),
          1
        )
      })
    )

    test.effect("gets no task while it is idle, and gets tasks again when it is back", () =>
      Effect.gen(function* () {
        const { a, model } = yield* begin
        yield* a.switchOff
        yield* untilState("a", "unreachable")
        const replies = [held(), held(), held()]
        model.enqueue(...replies.map(({ reply }) => reply))
        const ids = yield* Effect.forEach([0, 1, 2], (index) => createTask(`task ${index}`))
        yield* Effect.promise(() => model.waitForRequest(2))
        const [, , third = ""] = ids
        assert.strictEqual((yield* showTask(third)).status, "PENDING")
        assert.isNull((yield* untilState("a", "unreachable")).taskId)
        yield* a.switchOn
        assert.strictEqual(yield* untilHeldBy(third), "a")
        assert.strictEqual((yield* untilState("a", "busy")).taskId, third)
        for (const { answer } of replies) answer()
        yield* Effect.forEach(ids, (id) => untilStatus(id, "COMPLETED"))
      })
    )

    test.effect("reports what the user does again when it is back", () =>
      Effect.gen(function* () {
        const { a, model } = yield* begin
        model.script("mine", { hang: true })
        const id = yield* createTask("mine", { desktop: "a" })
        yield* Effect.promise(() => model.waitForRequest(1))
        assert.strictEqual(yield* command(id, "takeover"), 200)
        yield* Effect.promise(() => a.emulator().waitForRequest("POST /input-tracking/start"))
        yield* a.switchOff
        yield* untilState("a", "unreachable")
        yield* a.switchOn
        assert.strictEqual((yield* untilState("a", "user")).taskId, id)
        yield* until(
          "an action is stored",
          Effect.gen(function* () {
            a.emulator().emitUserAction({ action: "type_keys", keys: ["Escape"] })
            return (yield* messagesOf(id)).find(({ content }) => content[0]?.type === "user_action")
          })
        )
      })
    )

    test.effect("does not keep a person from cancelling the task", () =>
      Effect.gen(function* () {
        const { a, model } = yield* begin
        const next = held(click)
        model.script("cancelled", next.reply)
        const id = yield* createTask("cancelled", { desktop: "a" })
        yield* Effect.promise(() => model.waitForRequest(1))
        yield* a.switchOff
        yield* untilState("a", "unreachable")
        next.answer()
        yield* untilWaiting(id)
        assert.strictEqual(yield* command(id, "cancel"), 200)
        yield* a.switchOn
        assert.isNull((yield* untilState("a", "idle")).taskId)
        assert.strictEqual((yield* showTask(id)).status, "CANCELLED")
        assert.lengthOf(a.emulator().executed, 0)
      })
    )
  }
)

layer(Machines.layer({}, false), { timeout: "90 seconds", excludeTestServices: true })(
  "a desktop behind a network that swallows everything",
  (test) => {
    test.effect(
      "is unreachable until the network is back",
      () =>
        Effect.gen(function* () {
          const { a, model } = yield* begin
          const next = held(click)
          model.script("silence", next.reply)
          const id = yield* createTask("silence", { desktop: "a" })
          yield* Effect.promise(() => model.waitForRequest(1))
          a.network.freeze()
          yield* untilState("a", "unreachable")
          next.answer()
          yield* untilWaiting(id)
          a.network.thaw()
          yield* untilStatus(id, "COMPLETED")
          assert.lengthOf(
            a.emulator().executed.filter(({ action }) => action === "click_mouse"),
            1
          )
        }),
      90_000
    )
  }
)

const handover = { BYTEBOT_DESKTOP_LOST: "handover", BYTEBOT_DESKTOP_LOST_AFTER: "500" }

layer(Machines.layer(handover), { timeout: "60 seconds", excludeTestServices: true })(
  "the task of a desktop that is switched off",
  (test) => {
    test.effect("goes on at another one, with its files, and the model is told", () =>
      Effect.gen(function* () {
        yield* reset
        const { model } = yield* Stage
        const next = held(click)
        model.script("movable", { content: [click] }, next.reply)
        const id = yield* createTask("movable", { files: [file] })
        const name = yield* untilHeldBy(id)
        yield* Effect.promise(() => model.waitForRequest(2))
        const left = yield* machineNamed(name)
        yield* left.switchOff
        yield* untilState(name, "unreachable")
        next.answer()
        yield* untilStatus(id, "COMPLETED")
        assert.isNull((yield* showTask(id)).error)

        const machines = yield* Machines
        const taker = machines.find((one) => one !== left && one.emulator().files.contents.size > 0)
        assert.strictEqual(taker?.emulator().files.contents.get("/home/user/Desktop/notes.txt")?.toString(), "hello")
        const notes = (yield* messagesOf(id)).filter(({ content }) =>
          JSON.stringify(content).includes("another desktop")
        )
        assert.lengthOf(notes, 1)
        assert.include(JSON.stringify(model.requests.at(-1)?.body.messages), "This task continues on another desktop")
        const clicks = machines.flatMap((one) =>
          one.emulator().executed.filter(({ action }) => action === "click_mouse")
        )
        assert.isAtMost(clicks.length, 2)
        assert.lengthOf(model.requests, 3)
        assert.deepStrictEqual(model.rejected, [])
      })
    )

    test.effect("waits for a free desktop, and takes the lost one when that is back first", () =>
      Effect.gen(function* () {
        yield* reset
        const { model } = yield* Stage
        const blockers = [held(), held()]
        model.script("blocker", ...blockers.map(({ reply }) => reply))
        const next = held(click)
        model.script("homesick", next.reply)
        const id = yield* createTask("homesick")
        const name = yield* untilHeldBy(id)
        const others = ["a", "b", "c"].filter((other) => other !== name)
        const blocking = yield* Effect.forEach(others, (desktop) => createTask("blocker", { desktop }))
        yield* Effect.promise(() => model.waitForRequest(3))
        const left = yield* machineNamed(name)
        yield* left.switchOff
        next.answer()
        yield* until(
          "the task is free",
          Effect.map(showTask(id), ({ error }) => (error?.startsWith("Waiting for another desktop") ? true : undefined))
        )
        yield* left.switchOn
        yield* untilStatus(id, "COMPLETED")
        assert.isFalse(JSON.stringify(yield* messagesOf(id)).includes("another desktop"))
        for (const { answer } of blockers) answer()
        yield* Effect.forEach(blocking, (one) => untilStatus(one, "COMPLETED"))
      })
    )

    test.effect("waits for it where it asked for it by name", () =>
      Effect.gen(function* () {
        const { a, model } = yield* begin
        const next = held(click)
        model.script("loyal", next.reply, { content: [done] })
        const id = yield* createTask("loyal", { desktop: "a" })
        yield* Effect.promise(() => model.waitForRequest(1))
        const movable = held()
        model.script("movable", movable.reply)
        yield* a.switchOff
        next.answer()
        assert.strictEqual(yield* untilWaiting(id), "Waiting for the desktop: a does not answer")
        const other = yield* createTask("movable")
        assert.notStrictEqual(yield* untilHeldBy(other), "a")
        movable.answer()
        yield* untilStatus(other, "COMPLETED")
        assert.strictEqual((yield* untilState("a", "unreachable")).taskId, id)
        yield* a.switchOn
        yield* untilStatus(id, "COMPLETED")
      })
    )
  }
)
