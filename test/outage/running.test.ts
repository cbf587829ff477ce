import { assert, layer } from "@effect/vitest"
import { Effect, Fiber, Schedule } from "effect"
import { until } from "../support/Waiting.ts"
import { Clients } from "./Clients.ts"
import { type OutageStage, Server, setUp } from "./OutageStage.ts"
import { create, outline, untilCompleted, use } from "./TestTasks.ts"

/**
 * Runs a task through an outage that begins while an action is under way on the desktop and another client is at work, and checks that
 * afterwards nothing is missing and nothing was done twice.
 */
const liveThrough = Effect.fnUntraced(function* <E, R>(
  stage: OutageStage,
  outage: (clients: Clients) => Effect.Effect<unknown, E, R>
) {
  const { desktop, model, url } = stage
  const clients = new Clients(
    url,
    yield* create(url, { description: "talk", type: "SCHEDULED", scheduledFor: "2099-01-01T00:00:00.000Z" })
  )
  model.enqueue(use("computer_click_mouse", { button: "left", clickCount: 1 }))
  model.enqueue(use("computer_type_text", { text: "done once" }))
  const release = desktop.hold("click_mouse")
  const id = yield* create(url, { description: "goes on" })
  yield* Effect.promise(() => desktop.waitForRequest("click_mouse"))
  const atWork = yield* Effect.forkScoped(clients.work)
  yield* clients.nextAnswer(201)

  const over = yield* Effect.forkScoped(Effect.asVoid(outage(clients)))
  yield* Effect.yieldNow
  release()
  yield* Fiber.join(over)

  yield* clients.nextAnswer(201)
  yield* untilCompleted(url, id)
  yield* Fiber.interrupt(atWork)
  yield* clients.check(stage.direct)

  const done = desktop.executed.filter(({ action }) => action !== "screenshot")
  assert.deepStrictEqual(
    done.map(({ action }) => action),
    ["click_mouse", "type_text"]
  )
  assert.deepStrictEqual(yield* outline(url, id), [
    ["USER", "text"],
    ["ASSISTANT", "computer_click_mouse"],
    ["USER", "tool_result"],
    ["ASSISTANT", "computer_type_text"],
    ["USER", "tool_result"],
    ["ASSISTANT", "set_task_status"],
    ["USER", "tool_result"]
  ])
  const results = yield* stage.direct`
    SELECT 1 FROM "Message" WHERE "taskId" = ${id} AND "content"::text LIKE '%Tool executed successfully%'`
  assert.lengthOf(results, 2)
  // An outage is no fault of the run.
  const faults = yield* stage.direct`
    SELECT 1 FROM "TaskEvent" WHERE "taskId" = ${id} AND "payload"::text LIKE '%The work broke off%'`
  assert.lengthOf(faults, 0)
  assert.deepStrictEqual(model.rejected, [])
})

layer(Server.layer, { timeout: "60 seconds", excludeTestServices: true })("a running task outlives", (test) => {
  test.effect(
    "connections that are ended, again and again",
    () =>
      Effect.gen(function* () {
        const stage = yield* setUp()
        yield* liveThrough(stage, () =>
          Effect.repeat(stage.terminate, Schedule.upTo(Schedule.spaced("100 millis"), { duration: "3 seconds" }))
        )
      }).pipe(Effect.scoped),
    60_000
  )

  test.effect(
    "a restart of the server",
    () =>
      Effect.gen(function* () {
        const stage = yield* setUp()
        const server = yield* Server
        yield* liveThrough(stage, () => server.signal("SIGINT"))
      }).pipe(Effect.scoped),
    60_000
  )

  test.effect(
    "a crash of the server",
    () =>
      Effect.gen(function* () {
        const stage = yield* setUp()
        const server = yield* Server
        yield* liveThrough(stage, () => server.signal("SIGQUIT"))
      }).pipe(Effect.scoped),
    60_000
  )

  test.effect(
    "a network that swallows everything",
    () =>
      Effect.gen(function* () {
        const stage = yield* setUp()
        yield* liveThrough(
          stage,
          Effect.fnUntraced(function* (clients) {
            stage.network.freeze()
            yield* clients.nextAnswer(503)
            yield* clients.nextAnswer(503)
            stage.network.thaw()
          })
        )
      }).pipe(Effect.scoped),
    60_000
  )

  test.effect(
    "a server that refuses connections",
    () =>
      Effect.gen(function* () {
        const stage = yield* setUp()
        yield* liveThrough(
          stage,
          Effect.fnUntraced(function* (clients) {
            stage.network.refuse()
            yield* clients.nextAnswer(503)
            yield* clients.nextAnswer(503)
            stage.network.accept()
          })
        )
      }).pipe(Effect.scoped),
    60_000
  )

  test.effect(
    "a disk that is full when it creates a task, for longer than a client would wait",
    () =>
      Effect.gen(function* () {
        const { direct, model, url } = yield* setUp()
        // A sequence counts what is undone, too.
        yield* direct`CREATE SEQUENCE attempts`
        yield* direct`CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
          BEGIN PERFORM nextval('attempts'); RAISE disk_full; END $$`
        yield* direct`CREATE TRIGGER refuse BEFORE INSERT ON "Task" FOR EACH ROW WHEN (NEW."createdBy" = 'ASSISTANT') EXECUTE FUNCTION refuse()`
        model.enqueue(
          use("create_task", { description: "later", type: "SCHEDULED", scheduledFor: "2099-01-01T00:00:00Z" })
        )
        const id = yield* create(url, { description: "creates another one" })
        // Ten attempts take over four seconds; two would be a client's patience.
        yield* until(
          "it has been tried often",
          Effect.map(direct`SELECT 1 FROM attempts WHERE last_value >= 10`, (rows) => rows[0])
        )
        yield* direct`DROP TRIGGER refuse ON "Task"`
        yield* untilCompleted(url, id)
        assert.lengthOf(yield* direct`SELECT 1 FROM "Task" WHERE "createdBy" = 'ASSISTANT'`, 1)
        const answers =
          yield* direct`SELECT 1 FROM "Message" WHERE "taskId" = ${id} AND "content"::text LIKE '%The task has been created%'`
        assert.lengthOf(answers, 1)
      }).pipe(Effect.scoped),
    60_000
  )
})
