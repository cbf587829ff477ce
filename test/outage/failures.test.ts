import { PgConnection } from "@effect/sql-pg"
import { assert, layer } from "@effect/vitest"
import { Deferred, Effect, Fiber, Redacted } from "effect"
import type { Reply } from "../emulators/modelReplies.ts"
import { decodeTask, request } from "../support/RestClient.ts"
import { until } from "../support/Waiting.ts"
import { type OutageStage, Server, setUp } from "./OutageStage.ts"
import { create, outline, untilCompleted } from "./TestTasks.ts"

const later = { type: "SCHEDULED", scheduledFor: "2099-01-01T00:00:00.000Z" }

/** From now on writing to the table fails with the SQLSTATE, `times` times. */
const breakTable = Effect.fnUntraced(function* (
  { direct }: OutageStage,
  table: string,
  code: string,
  times = Number.MAX_SAFE_INTEGER
) {
  yield* direct`CREATE SEQUENCE faults`
  yield* direct.unsafe(`
    CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN
        IF nextval('faults') <= ${times} THEN RAISE EXCEPTION 'on purpose' USING ERRCODE = '${code}'; END IF;
        RETURN NEW;
      END $$`)
  yield* direct.unsafe(`CREATE TRIGGER fail BEFORE INSERT OR UPDATE ON "${table}" FOR EACH ROW EXECUTE FUNCTION fail()`)
})

const repairTable = ({ direct }: OutageStage, table: string) => direct.unsafe(`DROP TRIGGER fail ON "${table}"`)

/** An answer within ten seconds. */
const ask = (url: string, method: string, path: string, body?: unknown) =>
  request(url, method, path, body, { patience: 10_000 })

layer(Server.layer, { timeout: "60 seconds", excludeTestServices: true })("what the database refuses", (test) => {
  for (const [what, code] of [
    ["conflicts", "40001"],
    ["deadlocks", "40P01"]
  ] as const) {
    test.effect(`${what} are tried again, and change things once`, () =>
      Effect.gen(function* () {
        const stage = yield* setUp()
        const { direct, url } = stage
        yield* breakTable(stage, "Task", code, 2)
        const id = yield* create(url, { description: "again", ...later })
        assert.lengthOf(yield* direct`SELECT 1 FROM "Task"`, 1)
        assert.lengthOf(yield* direct`SELECT 1 FROM "TaskEvent"`, 1)
        yield* direct`ALTER SEQUENCE faults RESTART`
        assert.strictEqual((yield* ask(url, "POST", `/tasks/${id}/cancel`)).status, 200)
      }).pipe(Effect.scoped)
    )
  }

  test.effect("a full disk is answered 503, and a running task waits for room", () =>
    Effect.gen(function* () {
      const stage = yield* setUp()
      const { model, url } = stage
      const reply = yield* Deferred.make<Reply>()
      model.enqueue(() => Effect.runPromise(Deferred.await(reply)))
      const id = yield* create(url, { description: "waits" })
      yield* Effect.promise(() => model.waitForRequest(1))
      yield* breakTable(stage, "Message", "53100")
      yield* Deferred.succeed(reply, { content: [{ type: "tool_use", name: "computer_screenshot", input: {} }] })
      const writes = [
        ask(url, "POST", `/tasks/${id}/messages`, { message: "no room" }),
        ask(url, "POST", "/tasks", { description: "no room", ...later })
      ]
      const refused = yield* Effect.all(writes, { concurrency: "unbounded" })
      assert.deepStrictEqual(
        refused.map(({ status }) => status),
        [503, 503]
      )
      assert.strictEqual((yield* ask(url, "GET", `/tasks/${id}`)).status, 200)
      yield* repairTable(stage, "Message")
      yield* untilCompleted(url, id)
      assert.deepStrictEqual(yield* outline(url, id), [
        ["USER", "text"],
        ["ASSISTANT", "computer_screenshot"],
        ["USER", "tool_result"],
        ["ASSISTANT", "set_task_status"],
        ["USER", "tool_result"]
      ])
      // The model was not asked twice for what could not be stored at once.
      assert.lengthOf(model.requests, 2)
    }).pipe(Effect.scoped)
  )

  test.effect("a server that is read-only for a while is answered 503", () =>
    Effect.gen(function* () {
      const { direct, terminate, url } = yield* setUp()
      const id = yield* create(url, { description: "kept", ...later })
      yield* direct.unsafe(
        `DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET default_transaction_read_only = on', current_database()); END $$`
      )
      yield* terminate
      assert.strictEqual((yield* ask(url, "POST", `/tasks/${id}/cancel`)).status, 503)
      assert.strictEqual((yield* ask(url, "GET", `/tasks/${id}`)).status, 200)
      // Connections that the service has now stay read-only.
      yield* direct`SET default_transaction_read_only = off`
      yield* direct.unsafe(
        `DO $$ BEGIN EXECUTE format('ALTER DATABASE %I RESET default_transaction_read_only', current_database()); END $$`
      )
      yield* until(
        "the task is cancelled",
        Effect.map(ask(url, "POST", `/tasks/${id}/cancel`), ({ status }) => (status === 200 ? true : undefined))
      )
    }).pipe(Effect.scoped)
  )

  test.effect("a server that takes no more connections is answered 503", () =>
    Effect.gen(function* () {
      const { network, url } = yield* setUp()
      const server = yield* Server
      const id = yield* create(url, { description: "kept", ...later })
      yield* Effect.gen(function* () {
        network.refuse()
        yield* Effect.exit(Effect.forever(PgConnection.make({ url: Redacted.make(server.url) })))
        network.accept()
        assert.strictEqual((yield* ask(url, "GET", `/tasks/${id}`)).status, 503)
      }).pipe(Effect.scoped)
      yield* until(
        "the task is shown",
        Effect.map(ask(url, "GET", `/tasks/${id}`), ({ status }) => (status === 200 ? true : undefined))
      )
    }).pipe(Effect.scoped)
  )

  test.effect("a row that another session locks is answered 503", () =>
    Effect.gen(function* () {
      const { direct, url } = yield* setUp()
      const id = yield* create(url, { description: "held", ...later })
      yield* direct.withTransaction(
        Effect.gen(function* () {
          yield* direct`SELECT 1 FROM "Task" WHERE "id" = ${id} FOR UPDATE`
          assert.strictEqual((yield* ask(url, "POST", `/tasks/${id}/cancel`)).status, 503)
        })
      )
      assert.strictEqual((yield* ask(url, "POST", `/tasks/${id}/cancel`)).status, 200)
    }).pipe(Effect.scoped)
  )
})

layer(Server.layer, { timeout: "60 seconds", excludeTestServices: true })(
  "what was done but never answered",
  (test) => {
    test.effect("is known again, and not done twice", () =>
      Effect.gen(function* () {
        const { direct, network, url } = yield* setUp()
        const id = yield* create(url, { description: "first", ...later })
        const lost = Effect.fnUntraced(function* (path: string, body: unknown, table: string, count: number) {
          network.loseAnswers()
          const answer = yield* Effect.forkScoped(ask(url, "POST", path, body))
          yield* until(
            `the ${table} is there`,
            Effect.map(direct`SELECT 1 FROM ${direct(table)}`, (rows) => (rows.length === count ? true : undefined))
          )
          network.cut()
          const { status } = yield* Fiber.join(answer)
          assert.lengthOf(yield* direct`SELECT 1 FROM ${direct(table)}`, count)
          return status
        })
        assert.strictEqual(yield* lost("/tasks", { description: "second", ...later }, "Task", 2), 201)
        assert.strictEqual(yield* lost(`/tasks/${id}/messages`, { message: "third" }, "Message", 3), 201)
        assert.lengthOf(yield* direct`SELECT 1 FROM "TaskEvent"`, 3)
      }).pipe(Effect.scoped)
    )

    test.effect("is answered 503 where it cannot be known again, and holds", () =>
      Effect.gen(function* () {
        // Whichever connection it takes.
        const { direct, network, url } = yield* setUp({}, ({ texts }) =>
          texts.some((text) => text.includes(`"status" = 'CANCELLED'`)) ? "mute" : "pass"
        )
        const id = yield* create(url, { description: "first", ...later })
        const answer = yield* Effect.forkScoped(ask(url, "POST", `/tasks/${id}/cancel`))
        yield* until(
          "the task is cancelled",
          Effect.map(direct`SELECT 1 FROM "Task" WHERE "status" = 'CANCELLED'`, (rows) =>
            rows.length > 0 ? true : undefined
          )
        )
        network.cut()
        assert.strictEqual((yield* Fiber.join(answer)).status, 503)
        const { json } = yield* ask(url, "GET", `/tasks/${id}`)
        assert.strictEqual(decodeTask(json).status, "CANCELLED")
      }).pipe(Effect.scoped)
    )

    test.effect("does not double the messages of a running task", () =>
      Effect.gen(function* () {
        const { desktop, direct, model, network, url } = yield* setUp()
        const reply = yield* Deferred.make<Reply>()
        model.enqueue(() => Effect.runPromise(Deferred.await(reply)))
        const id = yield* create(url, { description: "runs" })
        yield* Effect.promise(() => model.waitForRequest(1))
        const release = desktop.hold("click_mouse")
        network.loseAnswers()
        yield* Deferred.succeed(reply, {
          content: [{ type: "tool_use", name: "computer_click_mouse", input: { button: "left", clickCount: 1 } }]
        })
        yield* until(
          "the reply is stored",
          Effect.map(direct`SELECT 1 FROM "Message" WHERE "role" = 'ASSISTANT'`, (rows) =>
            rows.length > 0 ? true : undefined
          )
        )
        network.cut()
        yield* Effect.promise(() => desktop.waitForRequest("click_mouse"))
        network.loseAnswers()
        release()
        yield* until(
          "the result is stored",
          Effect.map(direct`SELECT 1 FROM "Message" WHERE "content" @> '[{"type": "tool_result"}]'`, (rows) =>
            rows.length > 0 ? true : undefined
          )
        )
        network.cut()
        yield* untilCompleted(url, id)
        assert.deepStrictEqual(yield* outline(url, id), [
          ["USER", "text"],
          ["ASSISTANT", "computer_click_mouse"],
          ["USER", "tool_result"],
          ["ASSISTANT", "set_task_status"],
          ["USER", "tool_result"]
        ])
        assert.strictEqual(desktop.executed.filter(({ action }) => action === "click_mouse").length, 1)
        assert.lengthOf(model.requests, 2)
      }).pipe(Effect.scoped)
    )
  }
)
