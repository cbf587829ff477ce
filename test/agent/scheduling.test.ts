import { assert, layer } from "@effect/vitest"
import { DateTime, Effect, Schema } from "effect"
import { SqlClient } from "effect/sql"
import * as Anthropic from "../emulators/anthropic.ts"
import * as Desktop from "../emulators/desktop.ts"
import type { Scripted } from "../emulators/modelReplies.ts"
import { request } from "../support/RestClient.ts"
import { createTask, reset, Stage, untilStatus } from "../support/Stage.ts"
import * as TestDatabase from "../support/TestDatabase.ts"
import { startService } from "../support/TestService.ts"
import { until } from "../support/Waiting.ts"

/** Tasks that are to run later (docs/contract/agent.md, "Pick"). */

const times = Schema.decodeUnknownSync(
  Schema.Struct({
    status: Schema.String,
    scheduledFor: Schema.DateTimeUtcFromString,
    queuedAt: Schema.NullOr(Schema.DateTimeUtcFromString),
    executedAt: Schema.NullOr(Schema.DateTimeUtcFromString)
  })
)

const soon = (milliseconds: number) =>
  Effect.map(DateTime.now, (now) => DateTime.formatIso(DateTime.add(now, { milliseconds })))

const timesOf = Effect.fnUntraced(function* (id: string) {
  const { url } = yield* Stage
  return times((yield* request(url, "GET", `/tasks/${id}`)).json)
})

layer(Stage.layer(), { timeout: "60 seconds", excludeTestServices: true })("scheduled tasks", (test) => {
  test.effect("run when they are due, and not before, though the desktop is idle", () =>
    Effect.gen(function* () {
      yield* reset
      const { model } = yield* Stage
      const id = yield* createTask("later", { type: "SCHEDULED", scheduledFor: yield* soon(1500) })
      yield* createTask("now")
      yield* Effect.promise(() => model.waitForRequest(1))
      const waiting = yield* timesOf(id)
      assert.deepStrictEqual([waiting.status, waiting.executedAt], ["PENDING", null])
      yield* untilStatus(id, "COMPLETED")
      const { executedAt, scheduledFor } = yield* timesOf(id)
      const late = DateTime.toEpochMillis(executedAt ?? scheduledFor) - DateTime.toEpochMillis(scheduledFor)
      assert.isAtLeast(late, 0)
    })
  )

  test.effect(
    "that are claimed as soon as they are due are marked as queued first, and clients are told so in that order",
    () =>
      Effect.gen(function* () {
        yield* reset
        const { sql } = yield* Stage
        // The reconciler that marks due tasks looks every five seconds; most of these are claimed before it does.
        for (let n = 0; n < 4; n++) {
          const id = yield* createTask("due", { type: "SCHEDULED", scheduledFor: yield* soon(-1000) })
          yield* untilStatus(id, "COMPLETED")
          const rows = yield* sql`
          SELECT "payload"->>'status' AS status, "payload"->>'queuedAt' AS queued, "payload"->>'executedAt' AS executed
          FROM "TaskEvent" WHERE "taskId" = ${id} AND "kind" = 'task_updated' ORDER BY "id"`
          const { executedAt, queuedAt } = yield* timesOf(id)
          assert.isNotNull(queuedAt)
          const [at, started] = [queuedAt, executedAt].map((instant) => instant && DateTime.formatIso(instant))
          assert.deepStrictEqual(rows.slice(0, 2), [
            { status: "PENDING", queued: at, executed: null },
            { status: "RUNNING", queued: at, executed: started }
          ])
        }
      })
  )

  test.effect("of the agent's own making wait for their time", () =>
    Effect.gen(function* () {
      yield* reset
      const { model, sql } = yield* Stage
      const scheduledFor = yield* soon(1500)
      const create: Scripted = {
        content: [
          { type: "tool_use", name: "create_task", input: { description: "child", type: "scheduled", scheduledFor } }
        ]
      }
      model.script("parent", create)
      const parent = yield* createTask("parent")
      yield* untilStatus(parent, "COMPLETED")
      const [row] = yield* sql<{ id: string; createdBy: string }>`
        SELECT "id", "createdBy" FROM "Task" WHERE "description" = 'child'`
      assert.strictEqual(row?.createdBy, "ASSISTANT")
      yield* untilStatus(row?.id ?? "", "COMPLETED")
      const { executedAt, scheduledFor: due } = yield* timesOf(row?.id ?? "")
      assert.isAtLeast(DateTime.toEpochMillis(executedAt ?? due), DateTime.toEpochMillis(due))
    })
  )

  test.effect("can be cancelled while they wait", () =>
    Effect.gen(function* () {
      yield* reset
      const { model, url } = yield* Stage
      const id = yield* createTask("never", { scheduledFor: yield* soon(800) })
      assert.strictEqual((yield* request(url, "POST", `/tasks/${id}/cancel`)).status, 200)
      const after = yield* createTask("after", { scheduledFor: yield* soon(1200) })
      yield* untilStatus(after, "COMPLETED")
      assert.deepStrictEqual([(yield* timesOf(id)).status, model.requests.length], ["CANCELLED", 1])
    })
  )
})

layer(TestDatabase.TestDatabase.withClient, { timeout: "60 seconds", excludeTestServices: true })(
  "tasks that became due while the service was down",
  (test) => {
    test.effect("run at the start, the most urgent first, and are marked as queued", () =>
      Effect.gen(function* () {
        const { url: database } = yield* TestDatabase.TestDatabase
        const model = yield* Anthropic.scoped()
        const desktop = yield* Desktop.scoped()
        const variables = {
          DATABASE_URL: database,
          ANTHROPIC_API_KEY: "any",
          ANTHROPIC_BASE_URL: model.url,
          BYTEBOT_DESKTOP_BASE_URL: desktop.url
        }
        const create = Effect.fnUntraced(function* (url: string, priority: string) {
          const { json } = yield* request(url, "POST", "/tasks", {
            description: priority.toLowerCase(),
            priority,
            scheduledFor: "2099-01-01T00:00:00Z"
          })
          return Schema.decodeUnknownSync(Schema.Struct({ id: Schema.String }))(json).id
        })
        const [low = "", urgent = ""] = yield* Effect.gen(function* () {
          const { url } = yield* startService({ ...variables, BYTEBOT_DESKTOP_BASE_URL: "" })
          return [yield* create(url, "LOW"), yield* create(url, "URGENT")]
        }).pipe(Effect.scoped)
        const sql = yield* SqlClient.SqlClient
        yield* sql`UPDATE "Task" SET "scheduledFor" = (now() AT TIME ZONE 'UTC') - interval '1 hour'`

        const { url } = yield* startService(variables)
        yield* until(
          "both completed",
          Effect.map(Effect.all([low, urgent].map((id) => request(url, "GET", `/tasks/${id}`))), (answers) =>
            answers.every(({ json }) => times(json).status === "COMPLETED") ? true : undefined
          )
        )
        const prompts = model.requests.map(({ body }) => JSON.stringify(body.messages[0]))
        assert.include(prompts[0] ?? "", "urgent")
        assert.include(prompts[1] ?? "", "low")
        assert.isNotNull(times((yield* request(url, "GET", `/tasks/${low}`)).json).queuedAt)
      }).pipe(Effect.scoped)
    )
  }
)
