import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import { PgClient } from "@effect/sql-pg"
import { assert, layer } from "@effect/vitest"
import { Cause, Context, DateTime, Effect, Exit, Fiber, Layer, Option, Redacted } from "effect"
import { Reactivity } from "effect/reactivity"
import { SqlClient } from "effect/sql"
import { ToolJournal } from "../../src/agent/ToolJournal.ts"
import { ToolRunner } from "../../src/agent/ToolRunner.ts"
import { Analytics } from "../../src/analytics/Analytics.ts"
import { Settings } from "../../src/config/Settings.ts"
import { Desktops } from "../../src/desktop/Desktops.ts"
import { text, toolResult } from "../../src/domain/ContentBlock.ts"
import { Stopping } from "../../src/health/Stopping.ts"
import { Conversations } from "../../src/messages/Conversations.ts"
import * as ConfiguredModels from "../../src/models/ConfiguredModels.ts"
import { ModelCatalog } from "../../src/models/ModelCatalog.ts"
import * as Cluster from "../../src/placement/Cluster.ts"
import { Placement } from "../../src/placement/Placement.ts"
import { BrokenRuns } from "../../src/tasks/BrokenRuns.ts"
import { DesktopStates } from "../../src/tasks/DesktopStates.ts"
import { Dispatch } from "../../src/tasks/Dispatch.ts"
import { TaskRuns } from "../../src/tasks/TaskRuns.ts"
import { Tasks } from "../../src/tasks/Tasks.ts"
import * as Emulator from "../emulators/desktop.ts"
import * as TestDatabase from "../support/TestDatabase.ts"
import { until } from "../support/Waiting.ts"
import { toolUse } from "./Entries.ts"

/** What the journal makes of tools that an earlier run has left: on a real database, with a real desktop's protocol. */

class Desk extends Context.Service<Desk, Emulator.DesktopEmulator>()("test/Desk") {
  static readonly layer = Layer.effect(Desk, Emulator.scoped())
}

const settings = Layer.unwrap(
  Effect.map(Desk, ({ url }) => Settings.layerFrom({ BYTEBOT_DESKTOP_BASE_URL: url, BYTEBOT_SETTLE_DELAY: "0" }))
)

/** The agent's services without its workers: the test does what they do. */
const services = ToolJournal.layer.pipe(
  Layer.provide(ToolRunner.layer),
  Layer.provide(Tasks.layer),
  Layer.provide(Dispatch.layer),
  Layer.provide(DesktopStates.layer),
  Layer.provideMerge(Layer.mergeAll(TaskRuns.layer, Conversations.layer, Desktops.layer)),
  Layer.provide(BrokenRuns.layer),
  Layer.provide(Layer.mergeAll(Placement.layer, Analytics.layer, ModelCatalog.layer)),
  Layer.provide(ConfiguredModels.layer),
  Layer.provide(Layer.provide(Cluster.layer, Stopping.layer)),
  Layer.provide(NodeHttpClient.layerNodeHttp),
  Layer.provideMerge(settings),
  Layer.provideMerge(Layer.merge(Desk.layer, TestDatabase.TestDatabase.withClient))
)

const call = {
  provider: "any",
  model: "any",
  tokens: { input: 1, output: 1, cacheRead: 0, cacheWrite: 0 },
  cost: null,
  durationMs: 1,
  prefix: null,
  askedAt: DateTime.makeUnsafe(0)
}
const click = toolUse("a", "computer_click_mouse", { button: "left", clickCount: 1 })
const create = toolUse("b", "create_task", { description: "another" })
const look = toolUse("c", "computer_screenshot")

/** A claimed task, and a reply of its model with these tools. */
const replyWith = Effect.fnUntraced(function* (...uses: ReadonlyArray<ReturnType<typeof toolUse>>) {
  const sql = yield* SqlClient.SqlClient
  const runs = yield* TaskRuns
  const { desktops } = yield* Settings
  const desk = yield* Desk
  yield* sql`DELETE FROM "Task"`
  desk.reset()
  yield* sql`
    INSERT INTO "Task" ("id", "description", "updatedAt", "model")
    VALUES ('task', 'any', now(), '{"provider": "anthropic", "name": "claude-x"}')`
  const owner = yield* runs.own(desktops[0]?.url ?? "", "replica:1")
  const claim = Option.getOrThrow(yield* runs.claim(owner))
  const reply = yield* (yield* Conversations).appendReply(claim.lease, uses, call)
  return { claim, reply }
})

const clicks = Effect.map(Desk, ({ executed }) => executed.filter(({ action }) => action === "click_mouse").length)

/**
 * Interrupts the effect while it waits to record a tool, and cancels its statement: nothing is recorded. On connections of its own, as the
 * service's would wait behind the statement.
 */
const interruptedWhileRecording = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    const { url } = yield* TestDatabase.TestDatabase
    const sql = yield* PgClient.make({ url: Redacted.make(url), maxConnections: 2 })
    const held = yield* Effect.forkChild(
      sql.withTransaction(Effect.andThen(sql`LOCK TABLE "ToolExecution" IN ACCESS EXCLUSIVE MODE`, Effect.never))
    )
    const locks = (isHeld: boolean) => sql`
      SELECT pid FROM pg_locks
      WHERE "relation" = '"ToolExecution"'::regclass AND "granted" = ${isHeld} AND ("mode" = 'AccessExclusiveLock') = ${isHeld}`
    const some = Effect.map((rows: ReadonlyArray<unknown>) => (rows.length > 0 ? true : undefined))
    yield* until("the table is locked", some(locks(true)))
    const run = yield* Effect.forkChild(effect)
    yield* until("a record waits", some(locks(false)))
    yield* Fiber.interrupt(run)
    for (const { pid } of yield* locks(false)) yield* sql`SELECT pg_cancel_backend(${pid}::int)`
    yield* until(
      "no record waits",
      Effect.map(locks(false), (rows) => (rows.length === 0 ? true : undefined))
    )
    yield* Fiber.interrupt(held)
  }).pipe(Effect.provide(Reactivity.layer), Effect.scoped)

layer(services, { timeout: "60 seconds", excludeTestServices: true })("the journal of tools", (test) => {
  test.effect("carries out again what was never started", () =>
    Effect.gen(function* () {
      const journal = yield* ToolJournal
      const { claim, reply } = yield* replyWith(click, create, look)
      assert.deepStrictEqual(yield* journal.recall(claim, reply), [undefined, undefined, undefined])
    })
  )

  test.effect("does not carry out what a person has taken from the task", () =>
    Effect.gen(function* () {
      const journal = yield* ToolJournal
      const conversations = yield* Conversations
      const { claim, reply } = yield* replyWith(click, create, look)
      yield* conversations.startTool(claim.lease, reply.id, 0)
      const taken = { ...claim, interruptedAt: DateTime.addDuration(reply.createdAt, "1 second") }
      const words = (yield* journal.recall(taken, reply)).map((answer) => JSON.stringify(answer?.result.content))
      assert.match(words[0] ?? "", /may or may not have taken effect/)
      assert.match(words[1] ?? "", /Not executed/)
      assert.match(words[2] ?? "", /Not executed/)
    })
  )

  test.effect("repeats what changes rows, and never what changes the desktop", () =>
    Effect.gen(function* () {
      const journal = yield* ToolJournal
      const conversations = yield* Conversations
      const { claim, reply } = yield* replyWith(click, create)
      yield* conversations.startTool(claim.lease, reply.id, 0)
      yield* conversations.startTool(claim.lease, reply.id, 1)
      const [clicked, created] = yield* journal.recall(claim, reply)
      assert.match(JSON.stringify(clicked?.result.content), /may or may not have taken effect/)
      assert.isUndefined(created)
    })
  )

  test.effect("uses a result that was stored, and lets the first one count", () =>
    Effect.gen(function* () {
      const journal = yield* ToolJournal
      const conversations = yield* Conversations
      const { claim, reply } = yield* replyWith(click, look)
      const { result } = yield* journal.run(claim, reply, 0, undefined)
      yield* conversations.finishTool(reply.id, 0, toolResult("a", [text("too late")]))
      assert.deepStrictEqual(yield* journal.recall(claim, reply), [{ result, outcome: undefined }, undefined])
      assert.strictEqual(yield* clicks, 1)
    })
  )

  test.effect("carries out what was interrupted while its start was being recorded, but only once", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const journal = yield* ToolJournal
      const { claim, reply } = yield* replyWith(click)
      yield* interruptedWhileRecording(journal.run(claim, reply, 0, undefined))
      assert.deepStrictEqual(yield* journal.recall(claim, reply), [undefined])
      assert.strictEqual(yield* clicks, 0)

      // The second try sends it, and dies of the database before the result is stored.
      yield* sql`
        CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '22008'; END $$`
      yield* sql`CREATE TRIGGER refuse BEFORE UPDATE ON "ToolExecution" FOR EACH ROW WHEN (NEW."result" IS NOT NULL) EXECUTE FUNCTION refuse()`
      const exit = yield* Effect.exit(journal.run(claim, reply, 0, undefined))
      assert.isTrue(Exit.isFailure(exit) && Cause.hasDies(exit.cause))
      yield* sql`DROP TRIGGER refuse ON "ToolExecution"`
      assert.strictEqual(yield* clicks, 1)

      const [answer] = yield* journal.recall(claim, reply)
      assert.match(JSON.stringify(answer?.result.content), /may or may not have taken effect/)
    })
  )
})
