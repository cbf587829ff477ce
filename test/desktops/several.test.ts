import { assert, layer } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { maxOpen } from "../emulators/modelEmulator.ts"
import { request } from "../support/RestClient.ts"
import { command, createTask, messagesOf, Stage, showTask, untilStatus } from "../support/Stage.ts"
import { until } from "../support/Waiting.ts"
import { click, held, Machines, machineNamed, reset, showDesktops, untilHeldBy, untilState } from "./DesktopsStage.ts"

/** Several desktops, all of them there. */

const decodeDesktop = Schema.decodeUnknownSync(
  Schema.Struct({ id: Schema.String, desktop: Schema.optionalKey(Schema.String) })
)

layer(Machines.layer(), { timeout: "60 seconds", excludeTestServices: true })("several desktops", (test) => {
  test.effect("run one task each, at the same time", () =>
    Effect.gen(function* () {
      yield* reset
      const { model } = yield* Stage
      const replies = Array.from({ length: 9 }, () => held())
      model.enqueue(...replies.map(({ reply }) => reply))
      const ids = yield* Effect.forEach(
        replies.map((_, index) => index),
        (index) => createTask(`task ${index}`),
        { concurrency: "unbounded" }
      )
      yield* Effect.promise(() => model.waitForRequest(3))
      const working = (yield* showDesktops).map(({ state, taskId }) => [state, taskId])
      assert.deepStrictEqual(
        working.map(([state]) => state),
        ["busy", "busy", "busy"]
      )
      assert.strictEqual(new Set(working.map(([, taskId]) => taskId)).size, 3)
      for (const { answer } of replies) answer()
      yield* Effect.forEach(ids, (id) => untilStatus(id, "COMPLETED"))
      assert.strictEqual(maxOpen(model.requests), 3)
      assert.lengthOf(model.requests, 9)
    })
  )

  test.effect("take the waiting tasks as they become idle, the most urgent first", () =>
    Effect.gen(function* () {
      yield* reset
      const { model } = yield* Stage
      const blockers = Array.from({ length: 3 }, () => held())
      model.enqueue(...blockers.map(({ reply }) => reply))
      const first = yield* Effect.forEach([0, 1, 2], (index) => createTask(`blocker ${index}`))
      yield* Effect.promise(() => model.waitForRequest(3))
      const priorities = ["LOW", "URGENT", "MEDIUM", "HIGH"]
      const waiting = yield* Effect.forEach(priorities, (priority) => createTask(priority, { priority }))
      for (const id of waiting) assert.strictEqual((yield* showTask(id)).status, "PENDING")
      blockers[1]?.answer()
      yield* Effect.forEach(waiting, (id) => untilStatus(id, "COMPLETED"))
      const order = model.requests.slice(3).map(({ body }) => JSON.stringify(body.messages[0]))
      assert.deepStrictEqual(
        order.map((prompt) => priorities.find((priority) => prompt.includes(priority))),
        ["URGENT", "HIGH", "MEDIUM", "LOW"]
      )
      for (const { answer } of blockers) answer()
      yield* Effect.forEach(first, (id) => untilStatus(id, "COMPLETED"))
    })
  )

  test.effect("can be asked for by name: the task waits for that one though others are idle", () =>
    Effect.gen(function* () {
      yield* reset
      const { model, url } = yield* Stage
      const blocker = held()
      model.script("blocker", blocker.reply)
      const first = yield* createTask("blocker", { desktop: "b" })
      assert.strictEqual(yield* untilHeldBy(first), "b")
      yield* Effect.promise(() => model.waitForRequest(1))
      const created = yield* request(url, "POST", "/tasks", { description: "second", desktop: "b" })
      const { desktop, id } = decodeDesktop(created.json)
      assert.deepStrictEqual([created.status, desktop], [201, "b"])
      assert.strictEqual(decodeDesktop((yield* request(url, "GET", `/api/tasks/${id}`)).json).desktop, "b")
      const other = yield* createTask("any")
      yield* untilStatus(other, "COMPLETED")
      assert.notProperty((yield* request(url, "GET", `/tasks/${other}`)).json, "desktop")
      assert.strictEqual((yield* showTask(id)).status, "PENDING")
      blocker.answer()
      yield* untilStatus(id, "COMPLETED")
      const { sql } = yield* Stage
      const runs = yield* sql<{ desktop: string }>`SELECT "desktop" FROM "TaskRun" WHERE "taskId" = ${id}`
      const b = (yield* showDesktops).find(({ name }) => name === "b")
      assert.deepStrictEqual(
        runs.map((run) => run.desktop),
        [b?.url]
      )
    })
  )

  test.effect("that do not exist are refused with the names of those that do", () =>
    Effect.gen(function* () {
      yield* reset
      const { url } = yield* Stage
      const answer = yield* request(url, "POST", "/tasks", { description: "x", desktop: "nowhere" })
      assert.deepStrictEqual(answer, {
        status: 400,
        json: { message: "desktop: expected one of a, b, c", error: "Bad Request", statusCode: 400 }
      })
      const blank = yield* request(url, "POST", "/tasks", { description: "x", desktop: "" })
      assert.strictEqual(blank.status, 201)
    })
  )

  test.effect("are asked for by the tasks that such a task creates, too", () =>
    Effect.gen(function* () {
      yield* reset
      const { model, sql, url } = yield* Stage
      model.script("parent", {
        content: [{ type: "tool_use", name: "create_task", input: { description: "child" } }]
      })
      const parent = yield* createTask("parent", { desktop: "c" })
      yield* untilStatus(parent, "COMPLETED")
      const [child] = yield* sql<{ id: string }>`SELECT "id" FROM "Task" WHERE "description" = 'child'`
      assert.strictEqual(decodeDesktop((yield* request(url, "GET", `/tasks/${child?.id}`)).json).desktop, "c")
    })
  )

  test.effect("are left alone when the user takes over another one", () =>
    Effect.gen(function* () {
      yield* reset
      const { model } = yield* Stage
      const [a, b] = [yield* machineNamed("a"), yield* machineNamed("b")]
      const going = held(click)
      model.script("on a", { hang: true })
      model.script("on b", going.reply)
      const onA = yield* createTask("on a", { desktop: "a" })
      const onB = yield* createTask("on b", { desktop: "b" })
      yield* Effect.promise(() => model.waitForRequest(2))
      assert.strictEqual(yield* command(onA, "takeover"), 200)
      yield* Effect.promise(() => a.emulator().waitForRequest("POST /input-tracking/start"))
      assert.strictEqual((yield* untilState("a", "user")).taskId, onA)
      yield* until(
        "the action is stored",
        Effect.gen(function* () {
          a.emulator().emitUserAction({ action: "type_keys", keys: ["Escape"] })
          return (yield* messagesOf(onA)).find(({ content }) => content[0]?.type === "user_action")
        })
      )
      assert.isFalse(b.emulator().tracking())
      going.answer()
      yield* untilStatus(onB, "COMPLETED")
      assert.isTrue((yield* messagesOf(onB)).every(({ content }) => content[0]?.type !== "user_action"))
      assert.strictEqual((yield* showTask(onA)).control, "USER")
      assert.strictEqual(yield* command(onA, "resume"), 200)
      yield* untilStatus(onA, "COMPLETED")
      assert.isFalse(a.emulator().tracking())
    })
  )

  test.effect("show the user one that is idle when a task is taken over before it ever ran; there it goes on", () =>
    Effect.gen(function* () {
      yield* reset
      const { model, sql } = yield* Stage
      const blockers = ["a", "c"]
      for (const name of blockers) model.script(`keep ${name}`, { hang: true })
      for (const name of blockers) yield* createTask(`keep ${name}`, { desktop: name })
      yield* Effect.promise(() => model.waitForRequest(2))
      const task = yield* createTask("later", { scheduledFor: "2099-01-01T00:00:00Z" })
      assert.strictEqual(yield* command(task, "takeover"), 200)
      const b = yield* machineNamed("b")
      yield* Effect.promise(() => b.emulator().waitForRequest("POST /input-tracking/start"))
      const named = yield* createTask("later on a", { scheduledFor: "2099-01-01T00:00:00Z", desktop: "a" })
      assert.strictEqual(yield* command(named, "takeover"), 200)
      const a = yield* machineNamed("a")
      yield* Effect.promise(() => a.emulator().waitForRequest("POST /input-tracking/start"))
      assert.strictEqual(yield* command(task, "resume"), 200)
      yield* untilStatus(task, "COMPLETED")
      const runs = yield* sql<{ desktop: string }>`SELECT "desktop" FROM "TaskRun" WHERE "taskId" = ${task}`
      assert.strictEqual(runs[0]?.desktop, b.emulator().url)
    })
  )

  test.effect("take scheduled tasks as they become due, each another one", () =>
    Effect.gen(function* () {
      yield* reset
      const { model } = yield* Stage
      const replies = Array.from({ length: 3 }, () => held())
      model.enqueue(...replies.map(({ reply }) => reply))
      const scheduledFor = new Date(Date.now() + 1000).toISOString()
      const ids = yield* Effect.forEach([0, 1, 2], (index) => createTask(`scheduled ${index}`, { scheduledFor }))
      yield* Effect.promise(() => model.waitForRequest(3))
      for (const { answer } of replies) answer()
      yield* Effect.forEach(ids, (id) => untilStatus(id, "COMPLETED"))
      assert.strictEqual(maxOpen(model.requests), 3)
    })
  )
})
