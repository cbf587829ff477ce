import { createServer } from "node:http"
import { assert, layer } from "@effect/vitest"
import { Context, Effect, Layer, Schema } from "effect"
import type { Reply } from "../emulators/modelReplies.ts"
import { createTask, messagesOf, reset, Stage, showTask, untilStatus } from "../support/Stage.ts"
import { until } from "../support/Waiting.ts"

/** Runs that end by a fault: of the service, or of what is stored. */

const act = (text: string): Reply => ({
  content: [
    { type: "text", text },
    { type: "tool_use", name: "computer_cursor_position", input: {} }
  ]
})
const finish: Reply = {
  content: [{ type: "tool_use", name: "set_task_status", input: { status: "completed", description: "ok" } }]
}

/** The status and id of each task that the analytics endpoint was sent. */
class Reports extends Context.Service<
  Reports,
  { readonly url: string; readonly received: ReadonlyArray<readonly [string, string]> }
>()("test/Reports") {
  static readonly layer = Layer.effect(
    Reports,
    Effect.acquireRelease(
      Effect.callback<{
        readonly url: string
        readonly received: Array<readonly [string, string]>
        readonly close: () => void
      }>((resume) => {
        const received: Array<readonly [string, string]> = []
        const server = createServer((incoming, response) => {
          let body = ""
          incoming.on("data", (chunk) => {
            body += String(chunk)
          })
          incoming.on("end", () => {
            const { id, status } = decodeReport(body)
            received.push([id, status])
            response.end()
          })
        }).listen(0, "127.0.0.1", () => {
          const address = server.address()
          const url = `http://127.0.0.1:${typeof address === "object" ? address?.port : 0}`
          resume(Effect.succeed({ url, received, close: () => server.close() }))
        })
      }),
      ({ close }) => Effect.sync(close)
    )
  )
}
const decodeReport = Schema.decodeUnknownSync(
  Schema.fromJsonString(Schema.Struct({ id: Schema.String, status: Schema.String }))
)

/** PostgreSQL refuses every message with the word "refused", and every second attempt to store one with the word "flaky". */
const refusing = Effect.gen(function* () {
  const { sql } = yield* Stage
  yield* sql`CREATE SEQUENCE attempts`
  yield* sql`
    CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      IF NEW."role" = 'ASSISTANT' AND (NEW."content"::text LIKE '%refused%' OR (NEW."content"::text LIKE '%flaky%' AND nextval('attempts') % 2 = 1)) THEN
        RAISE EXCEPTION 'a secret that is 4711' USING ERRCODE = '22008';
      END IF;
      RETURN NEW;
    END $$`
  yield* sql`CREATE TRIGGER refuse BEFORE INSERT ON "Message" FOR EACH ROW EXECUTE FUNCTION refuse()`
  yield* sql`CREATE SEQUENCE claims`
  yield* sql`
    CREATE FUNCTION refuse_claim() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      IF EXISTS (SELECT 1 FROM "Task" WHERE "id" = NEW."taskId" AND "description" LIKE '%unclaimable%') THEN
        PERFORM nextval('claims');
        RAISE EXCEPTION 'a secret that is 4711' USING ERRCODE = '22003';
      END IF;
      RETURN NEW;
    END $$`
  yield* sql`CREATE TRIGGER refuse_claim BEFORE INSERT ON "TaskRun" FOR EACH ROW EXECUTE FUNCTION refuse_claim()`
})

const stage = Layer.unwrap(
  Effect.map(Reports, ({ url }) =>
    Layer.tap(Stage.layer({ BYTEBOT_ANALYTICS_ENDPOINT: url }), (context) => Effect.provide(refusing, context))
  )
).pipe(Layer.provideMerge(Reports.layer))

const failuresOf = Effect.fnUntraced(function* (id: string) {
  const { sql } = yield* Stage
  return yield* sql`SELECT "failures", "active" FROM "TaskRun" WHERE "taskId" = ${id}`
})

/** A task as another program might have left it in the database. */
const addTask = Effect.fnUntraced(function* (id: string) {
  const { sql } = yield* Stage
  yield* sql`
    INSERT INTO "Task" ("id", "description", "updatedAt", "model")
    VALUES (${id}, 'from elsewhere', now(), '{"provider": "anthropic", "name": "claude-x"}')`
})

/** What PostgreSQL stores, and no schema of the service reads: instants beyond all calendars. */
const unreadable: Readonly<Record<string, Effect.Effect<void, unknown, Stage>>> = {
  task: Effect.gen(function* () {
    const { sql } = yield* Stage
    yield* addTask("unreadable-task")
    yield* sql`UPDATE "Task" SET "createdAt" = 'infinity' WHERE "id" = 'unreadable-task'`
  }),
  schedule: Effect.gen(function* () {
    const { sql } = yield* Stage
    yield* addTask("unreadable-schedule")
    yield* sql`UPDATE "Task" SET "scheduledFor" = '-infinity' WHERE "id" = 'unreadable-schedule'`
  }),
  message: Effect.gen(function* () {
    const { sql } = yield* Stage
    yield* addTask("unreadable-message")
    yield* sql`
      INSERT INTO "Message" ("id", "content", "role", "createdAt", "updatedAt", "taskId")
      VALUES ('endless', '[]', 'USER', 'infinity', now(), 'unreadable-message')`
  }),
  call: Effect.gen(function* () {
    const { sql } = yield* Stage
    yield* addTask("unreadable-call")
    yield* sql`
      INSERT INTO "ModelCall" ("id", "taskId", "purpose", "provider", "model", "inputTokens", "outputTokens", "cacheReadTokens",
        "cacheWriteTokens", "cost", "durationMs", "createdAt")
      VALUES ('endless', 'unreadable-call', 'reply', 'any', 'any', 1, 1, 0, 0, 'NaN', 1, now())`
  })
}

layer(stage, { timeout: "90 seconds", excludeTestServices: true })("a run that breaks off", (test) => {
  test.effect("is tried twice more, then its task fails, and other tasks have the desktop meanwhile", () =>
    Effect.gen(function* () {
      yield* reset
      const { model, sql } = yield* Stage
      model.script("poisoned", ...Array.from({ length: 20 }, () => act("refused")))
      const id = yield* createTask("poisoned")
      const waiting = yield* until(
        "the task waits for its second try",
        Effect.map(showTask(id), (task) => (task.error === null ? undefined : task))
      )
      assert.strictEqual(waiting.status, "RUNNING")
      assert.match(waiting.error ?? "", /tried again/)
      const next = yield* createTask("meanwhile")
      yield* untilStatus(next, "COMPLETED")
      assert.strictEqual((yield* showTask(id)).status, "RUNNING")
      const { error } = yield* untilStatus(id, "FAILED")
      assert.strictEqual(
        error,
        "The work broke off three times in a row: the database refused a value (SQLSTATE 22008)"
      )
      assert.strictEqual(model.requests.filter(({ body }) => JSON.stringify(body).includes("poisoned")).length, 3)
      assert.deepStrictEqual(yield* failuresOf(id), [{ failures: 3, active: false }])
      const events = yield* sql`
        SELECT "payload"->>'status' AS status FROM "TaskEvent" WHERE "taskId" = ${id} AND "kind" = 'task_updated' ORDER BY "id" DESC LIMIT 1`
      assert.deepStrictEqual(events, [{ status: "FAILED" }])
      const { received } = yield* Reports
      yield* until(
        "the end is reported",
        Effect.sync(() => received.find(([task, status]) => task === id && status === "FAILED"))
      )
    })
  )

  test.effect("does not count any more once an iteration has worked", () =>
    Effect.gen(function* () {
      yield* reset
      const { model } = yield* Stage
      model.setDefault(({ messages }) =>
        messages.filter(({ role }) => role === "assistant").length < 3 ? act("flaky") : finish
      )
      const id = yield* createTask("stumbles")
      const { error } = yield* untilStatus(id, "COMPLETED")
      assert.strictEqual(error, null)
      assert.strictEqual(model.requests.length, 7)
      assert.deepStrictEqual(yield* failuresOf(id), [{ failures: 0, active: false }])
      assert.lengthOf(yield* messagesOf(id), 9)
    })
  )

  test.effect("does not count any more once a person has handed the task back", () =>
    Effect.gen(function* () {
      yield* reset
      const { model, url } = yield* Stage
      model.enqueue(act("refused"), act("refused"), act("refused"), finish)
      const id = yield* createTask("handed back")
      yield* untilStatus(id, "FAILED")
      yield* Effect.promise(() => fetch(`${url}/tasks/${id}/takeover`, { method: "POST" }))
      yield* Effect.promise(() => fetch(`${url}/tasks/${id}/resume`, { method: "POST" }))
      yield* untilStatus(id, "COMPLETED")
    })
  )

  test.effect(
    "before it begins, as PostgreSQL refuses the claim, fails its task the third time, and the next task completes",
    () =>
      Effect.gen(function* () {
        yield* reset
        const { sql } = yield* Stage
        const id = yield* createTask("unclaimable")
        const next = yield* createTask("meanwhile")
        yield* untilStatus(next, "COMPLETED")
        assert.strictEqual((yield* showTask(id)).status, "PENDING")
        const { error } = yield* untilStatus(id, "FAILED")
        assert.strictEqual(
          error,
          "The work broke off three times in a row: the database refused a value (SQLSTATE 22003)"
        )
        assert.deepStrictEqual(yield* sql`SELECT last_value::int FROM claims`, [{ last_value: 3 }])
        yield* untilStatus(yield* createTask("after that"), "COMPLETED")
      })
  )

  for (const [name, add] of Object.entries(unreadable)) {
    test.effect(`fails its task when a stored ${name} can't be read, and the next task completes`, () =>
      Effect.gen(function* () {
        yield* reset
        const { model, sql } = yield* Stage
        yield* add
        const next = yield* createTask("the next one")
        yield* untilStatus(next, "COMPLETED")
        const failed = yield* until(
          "the unreadable task has failed",
          Effect.map(sql`SELECT "error" FROM "Task" WHERE "status" = 'FAILED'`, (rows) => rows[0])
        )
        assert.match(String(failed.error), /broke off three times in a row/)
        assert.strictEqual(model.requests.length, 1)
      })
    )
  }
})
