import { assert, layer } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { decodeTask, request } from "../support/RestClient.ts"
import { createTask, messagesOf, reset, Stage, showTask, untilStatus } from "../support/Stage.ts"
import { until } from "../support/Waiting.ts"

/** `PATCH /tasks/:id`: documented by the original, absent in its code (docs/contract/rest.md). */

const decodeTimes = Schema.decodeUnknownSync(
  Schema.Struct({
    priority: Schema.String,
    queuedAt: Schema.NullOr(Schema.String),
    executedAt: Schema.NullOr(Schema.String),
    completedAt: Schema.NullOr(Schema.String)
  })
)

const patch = Effect.fnUntraced(function* (id: string, body: object) {
  const { url } = yield* Stage
  return yield* request(url, "PATCH", `/tasks/${id}`, body)
})

const click = {
  type: "tool_use",
  id: "p1",
  name: "computer_click_mouse",
  input: { button: "left", clickCount: 1 }
} as const
const typing = { type: "tool_use", id: "p2", name: "computer_type_text", input: { text: "not any more" } } as const

const later = "2099-01-01T00:00:00Z"

layer(Stage.layer(), { timeout: "60 seconds", excludeTestServices: true })("PATCH /tasks/:id", (test) => {
  test.effect("PATCH sets the given fields, leaves the others, and notifies subscribers", () =>
    Effect.gen(function* () {
      const { sql } = yield* Stage
      yield* reset
      const id = yield* createTask("fields", { type: "SCHEDULED", scheduledFor: later })
      const given = {
        priority: "URGENT",
        queuedAt: "2026-01-02T03:04:05.678Z",
        executedAt: "2026-01-02T05:04:05+02:00"
      }
      const answer = yield* patch(id, given)
      assert.strictEqual(answer.status, 200)
      assert.deepStrictEqual(decodeTimes(answer.json), {
        priority: "URGENT",
        queuedAt: "2026-01-02T03:04:05.678Z",
        executedAt: "2026-01-02T03:04:05.000Z",
        completedAt: null
      })
      const cleared = yield* patch(id, { queuedAt: null, status: "", priority: null })
      assert.deepInclude(decodeTimes(cleared.json), {
        priority: "URGENT",
        queuedAt: null,
        executedAt: "2026-01-02T03:04:05.000Z"
      })
      assert.strictEqual((yield* patch(id, {})).status, 200)
      const events = yield* sql`SELECT "kind", "payload" FROM "TaskEvent" WHERE "taskId" = ${id} ORDER BY "id"`
      assert.deepStrictEqual(
        events.map(({ kind }) => kind),
        ["task_created", "task_updated", "task_updated", "task_updated"]
      )
      assert.deepStrictEqual<unknown>(events[2]?.payload, cleared.json)
    })
  )

  test.effect("PATCH refuses invalid fields and unknown tasks", () =>
    Effect.gen(function* () {
      const id = yield* createTask("refusals", { type: "SCHEDULED", scheduledFor: later })
      for (const body of [
        { status: "DONE" },
        { priority: "high" },
        { queuedAt: "" },
        { executedAt: "yesterday" },
        { completedAt: 5 }
      ]) {
        assert.strictEqual((yield* patch(id, body)).status, 400, JSON.stringify(body))
      }
      const missing = yield* patch("nothing", { priority: "LOW" })
      assert.deepStrictEqual(missing, {
        status: 404,
        json: { message: "Task with ID nothing not found", error: "Not Found", statusCode: 404 }
      })
      assert.strictEqual((yield* showTask(id)).status, "PENDING")
    })
  )

  test.effect("a new status takes effect once; the same status has no effect", () =>
    Effect.gen(function* () {
      yield* reset
      const id = yield* createTask("statuses", { type: "SCHEDULED", scheduledFor: later })
      const completed = decodeTimes((yield* patch(id, { status: "COMPLETED" })).json)
      assert.isNotNull(completed.completedAt)
      assert.deepStrictEqual(decodeTimes((yield* patch(id, { status: "COMPLETED" })).json), completed)
      const at = "2026-05-06T07:08:09.000Z"
      assert.strictEqual(decodeTimes((yield* patch(id, { status: "FAILED", completedAt: at })).json).completedAt, at)
      assert.isNull(decodeTimes((yield* patch(id, { status: "PENDING" })).json).completedAt)
      const helped = decodeTask((yield* patch(id, { status: "NEEDS_HELP" })).json)
      assert.deepInclude(helped, { status: "NEEDS_HELP", control: "USER" })
      assert.strictEqual(decodeTask((yield* patch(id, { status: "CANCELLED" })).json).status, "CANCELLED")
    })
  )

  test.effect("a new status ends the current run, which acts and writes no more", () =>
    Effect.gen(function* () {
      const { desktop, model } = yield* Stage
      yield* reset
      model.enqueue({ content: [click, typing] })
      const release = desktop.hold("click_mouse")
      const id = yield* createTask("patched away")
      yield* Effect.promise(() => desktop.waitForRequest("click_mouse"))
      assert.strictEqual((yield* patch(id, { status: "FAILED" })).status, 200)
      release()
      yield* until(
        "results",
        Effect.map(messagesOf(id), (all) => (all.length === 3 ? all : undefined))
      )
      assert.strictEqual((yield* showTask(id)).status, "FAILED")
      assert.isFalse(desktop.actions().includes("type_text"))
      // The desktop is free for the next task.
      yield* untilStatus(yield* createTask("the next one"), "COMPLETED")
    })
  )

  test.effect("a new priority leaves the run alone; PENDING starts the task again", () =>
    Effect.gen(function* () {
      const { desktop, model } = yield* Stage
      yield* reset
      model.enqueue({ content: [click] })
      const release = desktop.hold("click_mouse")
      const id = yield* createTask("prioritised")
      yield* Effect.promise(() => desktop.waitForRequest("click_mouse"))
      yield* patch(id, { priority: "URGENT", status: "RUNNING" })
      release()
      yield* untilStatus(id, "COMPLETED")
      const before = (yield* messagesOf(id)).length
      assert.strictEqual(before, 5)
      assert.strictEqual(desktop.actions().filter((action) => action === "click_mouse").length, 1)
      assert.strictEqual(decodeTask((yield* patch(id, { status: "PENDING" })).json).status, "PENDING")
      yield* until(
        "done again",
        Effect.map(showTask(id), ({ status }) => (status === "COMPLETED" ? true : undefined))
      )
      assert.isAbove((yield* messagesOf(id)).length, before)
    })
  )
})
