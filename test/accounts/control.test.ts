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

/** The different ones of them, in the order of their first appearance. */
const wordsIn = (who: Who, id: string) => Effect.map(capturedIn(who, id), (words) => [...new Set(words)])

const command = Effect.fnUntraced(function* (who: Who, id: string, name: "takeover" | "resume" | "cancel") {
  const { send } = yield* AccountsStage
  return (yield* send(who, "POST", `/tasks/${id}/${name}`)).status
})

const decodeTask = Schema.decodeUnknownSync(Schema.Struct({ status: Schema.String, control: Schema.String }))

const show = Effect.fnUntraced(function* (who: Who, id: string) {
  const { send } = yield* AccountsStage
  return decodeTask((yield* send(who, "GET", `/tasks/${id}`)).json)
})

/** Has the model end the task by its next reply; the task, once it has the status. */
const endedTask = Effect.fnUntraced(function* (who: Who, description: string, status: string, ends: string) {
  const { model } = yield* AccountsStage
  model.enqueue({
    content: [{ type: "tool_use", name: "set_task_status", input: { status: ends, description: "so it is" } }]
  })
  const id = yield* createTask(who, description)
  return yield* until(
    `${description} is ${status}`,
    Effect.map(show(who, id), (task) => (task.status === status ? id : undefined))
  )
})

const clear = Effect.gen(function* () {
  const { send, sql } = yield* AccountsStage
  const { administrator } = yield* people
  for (const { id } of yield* sql<{ id: string }>`SELECT "id" FROM "Task"`) {
    yield* send(administrator.bearer, "DELETE", `/tasks/${id}`)
  }
})

/** Deletes the tasks of the test before, which would keep the desktop. */
const start = Effect.gen(function* () {
  const { desktop, model } = yield* AccountsStage
  yield* clear
  model.reset()
  desktop.reset()
  return yield* people
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

const untilUntracked = Effect.flatMap(AccountsStage, ({ desktop }) =>
  until(
    "tracking ends",
    Effect.sync(() => (desktop.tracking() ? undefined : true))
  )
)

/** Waits until the newest event of the task says, or does not say, that input is not stored in it, and the task says the same. */
const untilTold = Effect.fnUntraced(function* (who: Who, id: string, isTold: boolean) {
  const { send, sql } = yield* AccountsStage
  yield* until(
    `the task ${isTold ? "says" : "does not say"} that input is not stored`,
    Effect.gen(function* () {
      const events = yield* sql`SELECT "payload" FROM "TaskEvent" WHERE "taskId" = ${id} ORDER BY "id" DESC LIMIT 1`
      const { json } = yield* send(who, "GET", `/tasks/${id}`)
      const says = [events, json].map((one) => /not stored in this task/.test(JSON.stringify(one)))
      return says.every((one) => one === isTold) || undefined
    })
  )
})

const inProgress = (count: number) =>
  Effect.flatMap(AccountsStage, ({ model }) => Effect.promise(() => model.waitForRequest(count)))

layer(AccountsStage.layer({ BYTEBOT_SETTLE_DELAY: "1" }), { timeout: "60 seconds", excludeTestServices: true })(
  "what is typed on a desktop that one person controls",
  (test) => {
    test.effect("stays in that person's task when another person takes over a waiting task", () =>
      Effect.gen(function* () {
        const { owner, stranger } = yield* start
        const { desktop } = yield* AccountsStage
        const running = yield* createTask(owner.bearer, "of the owner")
        yield* inProgress(1)
        assert.strictEqual(yield* command(owner.bearer, running, "takeover"), 200)
        const waiting = yield* createTask(stranger.bearer, "of the other person")
        const places = [
          [owner.bearer, running],
          [stranger.bearer, waiting]
        ] as const
        assert.strictEqual(yield* typeInto("before", places), 0)
        const { send } = yield* AccountsStage
        const refused = yield* send(stranger.bearer, "POST", `/tasks/${waiting}/takeover`)
        assert.strictEqual(refused.status, 409)
        assert.match(JSON.stringify(refused.json), /Another person controls the desktop of task/)
        assert.deepStrictEqual(yield* show(stranger.bearer, waiting), { status: "PENDING", control: "ASSISTANT" })
        for (const word of ["one", "two", "three", "four"]) {
          assert.strictEqual(yield* typeInto(word, places), 0)
        }
        // Handed back, the desktop captures nothing for the other person's task.
        assert.strictEqual(yield* command(owner.bearer, running, "resume"), 200)
        yield* Effect.promise(() => desktop.waitForRequest("POST /input-tracking/stop"))
        assert.deepStrictEqual(yield* capturedIn(stranger.bearer, waiting), [])
        // A takeover after that captures.
        assert.strictEqual(yield* command(stranger.bearer, waiting, "takeover"), 200)
        assert.strictEqual(yield* typeInto("mine", places), 1)
      })
    )

    test.effect("goes to the task that the same person takes over last", () =>
      Effect.gen(function* () {
        const { owner } = yield* start
        const { desktop } = yield* AccountsStage
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
      })
    )

    test.effect(
      "goes to the task that needs its owner's help, not to a waiting task that another person takes over",
      () =>
        Effect.gen(function* () {
          const { owner, stranger } = yield* start
          const { desktop, model } = yield* AccountsStage
          model.enqueue({
            content: [
              { type: "tool_use", name: "set_task_status", input: { status: "needs_help", description: "a password" } }
            ]
          })
          const helped = yield* createTask(owner.bearer, "needs help")
          yield* Effect.promise(() => desktop.waitForRequest("POST /input-tracking/start"))
          const waiting = yield* createTask(stranger.bearer, "of the other person")
          assert.strictEqual(yield* command(stranger.bearer, waiting, "takeover"), 409)
          const places = [
            [owner.bearer, helped],
            [stranger.bearer, waiting]
          ] as const
          for (const word of ["one", "two", "three"]) assert.strictEqual(yield* typeInto(word, places), 0)
        })
    )

    test.effect("goes to a running task that another person takes over, once the first person's task is finished", () =>
      Effect.gen(function* () {
        const { owner, stranger } = yield* start
        const finished = yield* endedTask(owner.bearer, "finished", "COMPLETED", "completed")
        assert.strictEqual(yield* command(owner.bearer, finished, "takeover"), 200)
        const running = yield* createTask(stranger.bearer, "of the other person")
        yield* inProgress(2)
        const places = [
          [owner.bearer, finished],
          [stranger.bearer, running]
        ] as const
        assert.strictEqual(yield* typeInto("before", places), 0)
        assert.strictEqual(yield* command(stranger.bearer, running, "takeover"), 200)
        assert.strictEqual(yield* typeInto("one", places), 1)
        assert.strictEqual(yield* typeInto("two", places), 1)
        // The first person can't have it back meanwhile.
        assert.strictEqual(yield* command(owner.bearer, finished, "cancel"), 400)
        const other = yield* createTask(owner.bearer, "another one of the first person")
        assert.strictEqual(yield* command(owner.bearer, other, "takeover"), 409)
        assert.strictEqual(yield* typeInto("three", places), 1)
      })
    )

    test.effect("goes to a waiting task that another person takes over, once the first person's task is finished", () =>
      Effect.gen(function* () {
        const { owner, stranger } = yield* start
        const finished = yield* endedTask(owner.bearer, "finished", "FAILED", "failed")
        assert.strictEqual(yield* command(owner.bearer, finished, "takeover"), 200)
        const later = { scheduledFor: "2099-01-01T00:00:00Z" }
        const { send } = yield* AccountsStage
        const { json } = yield* send(stranger.bearer, "POST", "/tasks", { description: "waits", ...later })
        const waiting = Schema.decodeUnknownSync(Schema.Struct({ id: Schema.String }))(json).id
        assert.strictEqual(yield* command(stranger.bearer, waiting, "takeover"), 200)
        const places = [
          [owner.bearer, finished],
          [stranger.bearer, waiting]
        ] as const
        assert.strictEqual(yield* typeInto("one", places), 1)
      })
    )

    test.effect("goes to no task while another person takes over a running one, until one of both hands back", () =>
      Effect.gen(function* () {
        const { owner, stranger } = yield* start
        const { desktop } = yield* AccountsStage
        const running = yield* createTask(stranger.bearer, "of the other person")
        yield* inProgress(1)
        const waiting = yield* createTask(owner.bearer, "waits")
        assert.strictEqual(yield* command(owner.bearer, waiting, "takeover"), 200)
        const places = [
          [owner.bearer, waiting],
          [stranger.bearer, running]
        ] as const
        assert.strictEqual(yield* typeInto("before", places), 0)
        assert.strictEqual(yield* command(stranger.bearer, running, "takeover"), 200)
        yield* untilUntracked
        yield* untilTold(owner.bearer, waiting, true)
        desktop.emitUserAction({ action: "type_text", text: "nowhere" })
        assert.strictEqual(yield* command(owner.bearer, waiting, "resume"), 200)
        assert.strictEqual(yield* typeInto("after", places), 1)
        yield* untilTold(stranger.bearer, running, false)
        assert.deepStrictEqual(yield* wordsIn(stranger.bearer, running), ["after"])
        assert.deepStrictEqual(yield* wordsIn(owner.bearer, waiting), ["before"])
      })
    )

    test.effect("goes to no task of another person that needs help, until the first person has handed back", () =>
      Effect.gen(function* () {
        const { owner, stranger } = yield* start
        const { desktop, model } = yield* AccountsStage
        const ask = Promise.withResolvers<void>()
        const needsHelp = {
          type: "tool_use",
          name: "set_task_status",
          input: { status: "needs_help", description: "a password" }
        } as const
        model.enqueue(() => ask.promise.then(() => ({ content: [needsHelp] })))
        const helped = yield* createTask(stranger.bearer, "of the other person")
        yield* inProgress(1)
        const waiting = yield* createTask(owner.bearer, "waits")
        assert.strictEqual(yield* command(owner.bearer, waiting, "takeover"), 200)
        const places = [
          [owner.bearer, waiting],
          [stranger.bearer, helped]
        ] as const
        assert.strictEqual(yield* typeInto("before", places), 0)
        ask.resolve()
        yield* untilUntracked
        yield* untilTold(owner.bearer, waiting, true)
        desktop.emitUserAction({ action: "type_text", text: "nowhere" })
        assert.strictEqual(yield* command(owner.bearer, waiting, "resume"), 200)
        assert.strictEqual(yield* typeInto("after", places), 1)
        assert.deepStrictEqual(yield* wordsIn(stranger.bearer, helped), ["after"])
        assert.deepStrictEqual(yield* wordsIn(owner.bearer, waiting), ["before"])
      })
    )

    test.effect(
      "goes to the task that needs its owner's help, not to one that another person has taken over before",
      () =>
        Effect.gen(function* () {
          const { owner, stranger } = yield* start
          const finished = yield* endedTask(owner.bearer, "finished", "COMPLETED", "completed")
          assert.strictEqual(yield* command(owner.bearer, finished, "takeover"), 200)
          const helped = yield* endedTask(stranger.bearer, "needs help", "NEEDS_HELP", "needs_help")
          const places = [
            [owner.bearer, finished],
            [stranger.bearer, helped]
          ] as const
          assert.strictEqual(yield* typeInto("one", places), 1)
          assert.strictEqual(yield* typeInto("two", places), 1)
          // Nor to another one of that person's.
          const other = yield* createTask(owner.bearer, "another one")
          assert.strictEqual(yield* command(owner.bearer, other, "takeover"), 409)
          assert.strictEqual(yield* typeInto("three", places), 1)
        })
    )

    test.effect("goes to the task that needs help last, where one person holds several", () =>
      Effect.gen(function* () {
        const { owner } = yield* start
        const running = yield* createTask(owner.bearer, "hangs first")
        yield* inProgress(1)
        const waiting = yield* createTask(owner.bearer, "waits")
        assert.strictEqual(yield* command(owner.bearer, waiting, "takeover"), 200)
        assert.strictEqual(yield* command(owner.bearer, running, "cancel"), 200)
        const helped = yield* endedTask(owner.bearer, "needs help", "NEEDS_HELP", "needs_help")
        const places = [
          [owner.bearer, waiting],
          [owner.bearer, helped]
        ] as const
        assert.strictEqual(yield* typeInto("one", places), 1)
        assert.strictEqual(yield* command(owner.bearer, helped, "cancel"), 200)
        assert.strictEqual(yield* typeInto("two", places), 0)
      })
    )
  }
)
