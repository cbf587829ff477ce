import { assert, layer } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { until } from "../support/Waiting.ts"
import { AccountsStage, createTask, people, type Who } from "./AccountsStage.ts"

/** One desktop and several people: the input of a person goes to the task that this person holds. */

const decodeMessages = Schema.decodeUnknownSync(
  Schema.Array(Schema.Struct({ content: Schema.Array(Schema.Record(Schema.String, Schema.Json)) }))
)

/** The texts that were captured into the task, oldest first. */
const capturedIn = Effect.fnUntraced(function* (who: Who, id: string) {
  const { send } = yield* AccountsStage
  const { json } = yield* send(who, "GET", `/tasks/${id}/messages?limit=1000`)
  const actions = decodeMessages(json).filter(({ content }) => content[0]?.type === "user_action")
  return actions.map(({ content }) => /"text":"(\w+)"/.exec(JSON.stringify(content))?.[1])
})

const command = Effect.fnUntraced(function* (who: Who, id: string, name: "takeover" | "resume" | "cancel") {
  const { send } = yield* AccountsStage
  return (yield* send(who, "POST", `/tasks/${id}/${name}`)).status
})

/** Types the text on the desktop until one of the tasks has it; the index of that task. */
const typeInto = Effect.fnUntraced(function* (word: string, tasks: ReadonlyArray<readonly [Who, string]>) {
  const { desktop } = yield* AccountsStage
  return yield* until(
    `${word} is stored`,
    Effect.gen(function* () {
      desktop.emitUserAction({ action: "type_text", text: word })
      const found = yield* Effect.forEach(tasks, ([who, id]) => capturedIn(who, id))
      const index = found.findIndex((words) => words.includes(word))
      return index === -1 ? undefined : index
    })
  )
})

/** Deletes the tasks, so that the desktop is free for the next test. */
const clear = Effect.gen(function* () {
  const { send, sql } = yield* AccountsStage
  const { administrator } = yield* people
  for (const { id } of yield* sql<{ id: string }>`SELECT "id" FROM "Task"`) {
    yield* send(administrator.bearer, "DELETE", `/tasks/${id}`)
  }
})

const inProgress = (count: number) =>
  Effect.flatMap(AccountsStage, ({ model }) => Effect.promise(() => model.waitForRequest(count)))

layer(AccountsStage.layer({ BYTEBOT_SETTLE_DELAY: "1" }), { timeout: "60 seconds", excludeTestServices: true })(
  "what is typed on a desktop that one person controls",
  (test) => {
    test.effect("stays in that person's task when another person takes over a waiting task", () =>
      Effect.gen(function* () {
        const { desktop, model } = yield* AccountsStage
        model.reset()
        desktop.reset()
        const { owner, stranger } = yield* people
        const running = yield* createTask(owner.bearer, "of the owner")
        yield* inProgress(1)
        assert.strictEqual(yield* command(owner.bearer, running, "takeover"), 200)
        const waiting = yield* createTask(stranger.bearer, "of the other person")
        const places = [
          [owner.bearer, running],
          [stranger.bearer, waiting]
        ] as const
        assert.strictEqual(yield* typeInto("before", places), 0)
        assert.strictEqual(yield* command(stranger.bearer, waiting, "takeover"), 200)
        for (const word of ["one", "two", "three", "four"]) {
          assert.strictEqual(yield* typeInto(word, places), 0)
        }
        // Handed back, the desktop captures nothing for the other person's task.
        assert.strictEqual(yield* command(owner.bearer, running, "resume"), 200)
        yield* Effect.promise(() => desktop.waitForRequest("POST /input-tracking/stop"))
        assert.deepStrictEqual(yield* capturedIn(stranger.bearer, waiting), [])
        // A takeover after that captures.
        assert.strictEqual(yield* command(stranger.bearer, waiting, "resume"), 200)
        assert.strictEqual(yield* command(stranger.bearer, waiting, "takeover"), 200)
        assert.strictEqual(yield* typeInto("mine", places), 1)
        yield* clear
      })
    )

    test.effect("goes to the task that the same person takes over last", () =>
      Effect.gen(function* () {
        const { desktop, model } = yield* AccountsStage
        model.reset()
        desktop.reset()
        const { owner } = yield* people
        const running = yield* createTask(owner.bearer, "first")
        yield* inProgress(1)
        assert.strictEqual(yield* command(owner.bearer, running, "takeover"), 200)
        const waiting = yield* createTask(owner.bearer, "second")
        const places = [
          [owner.bearer, running],
          [owner.bearer, waiting]
        ] as const
        assert.strictEqual(yield* typeInto("first", places), 0)
        assert.strictEqual(yield* command(owner.bearer, waiting, "takeover"), 200)
        yield* Effect.promise(() => desktop.waitForRequest("POST /input-tracking/start", 2))
        assert.strictEqual(yield* typeInto("second", places), 1)
        // The running task still holds the desktop: its owner is the one who acts on it now.
        assert.strictEqual(yield* command(owner.bearer, waiting, "resume"), 200)
        assert.strictEqual(yield* typeInto("third", places), 0)
        yield* clear
      })
    )

    test.effect(
      "goes to the task that needs its owner's help, not to a waiting task that another person takes over",
      () =>
        Effect.gen(function* () {
          const { desktop, model } = yield* AccountsStage
          model.reset()
          desktop.reset()
          const { owner, stranger } = yield* people
          model.enqueue({
            content: [
              { type: "tool_use", name: "set_task_status", input: { status: "needs_help", description: "a password" } }
            ]
          })
          const helped = yield* createTask(owner.bearer, "needs help")
          yield* Effect.promise(() => desktop.waitForRequest("POST /input-tracking/start"))
          const waiting = yield* createTask(stranger.bearer, "of the other person")
          assert.strictEqual(yield* command(stranger.bearer, waiting, "takeover"), 200)
          const places = [
            [owner.bearer, helped],
            [stranger.bearer, waiting]
          ] as const
          for (const word of ["one", "two", "three"]) assert.strictEqual(yield* typeInto(word, places), 0)
          yield* clear
        })
    )
  }
)
