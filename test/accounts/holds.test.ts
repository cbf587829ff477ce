import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import { assert, layer } from "@effect/vitest"
import { Effect, Layer, Option, Ref, Schema } from "effect"
import { SqlClient } from "effect/sql"
import { Analytics } from "../../src/analytics/Analytics.ts"
import { Settings } from "../../src/config/Settings.ts"
import { Caller } from "../../src/domain/Caller.ts"
import { type Task, TaskId } from "../../src/domain/Task.ts"
import { Stopping } from "../../src/health/Stopping.ts"
import * as ConfiguredModels from "../../src/models/ConfiguredModels.ts"
import { ModelCatalog } from "../../src/models/ModelCatalog.ts"
import * as Cluster from "../../src/placement/Cluster.ts"
import { DesktopEntity, Placement } from "../../src/placement/Placement.ts"
import { BrokenRuns } from "../../src/tasks/BrokenRuns.ts"
import { DesktopHolds } from "../../src/tasks/DesktopHolds.ts"
import { DesktopStates } from "../../src/tasks/DesktopStates.ts"
import { Dispatch } from "../../src/tasks/Dispatch.ts"
import type { Lease } from "../../src/tasks/Lease.ts"
import { TaskRuns } from "../../src/tasks/TaskRuns.ts"
import { Tasks } from "../../src/tasks/Tasks.ts"
import * as TestDatabase from "../support/TestDatabase.ts"

/** Whose task gets what is typed on a desktop, after any sequence of what two users and the agent do. */

const desktop = "http://d:9990"
/** No worker is at work: the test does what it does. */
const noWorker = DesktopEntity.toLayer({
  Wake: () => Effect.void,
  WakeAt: () => Effect.void,
  Control: () => Effect.void,
  Check: () => Effect.void
})

const services = Layer.merge(Tasks.layer, noWorker).pipe(
  Layer.provide(Dispatch.layer),
  Layer.provide(DesktopStates.layer),
  Layer.provideMerge(Layer.merge(TaskRuns.layer, DesktopHolds.layer)),
  Layer.provide(BrokenRuns.layer),
  Layer.provide(Layer.mergeAll(Placement.layer, Analytics.layer, ModelCatalog.layer)),
  Layer.provide(ConfiguredModels.layer),
  Layer.provide(Layer.provide(Cluster.layer, Stopping.layer)),
  Layer.provide(NodeHttpClient.layerNodeHttp),
  Layer.provide(
    Settings.layerFrom({
      BYTEBOT_DESKTOP_BASE_URL: `d=${desktop}`,
      AUTH_ENABLED: "true",
      BETTER_AUTH_SECRET: "planted-secret-of-the-tests-0123456789abcdef"
    })
  ),
  Layer.provideMerge(TestDatabase.TestDatabase.withClient)
)

const users = ["ann", "bob"]
const tasks = users.flatMap((user) => ["1", "2", "3"].map((n) => ({ user, id: TaskId.make(user + n) })))
const taskAt = (index: number) => tasks[index] ?? assert.fail("no such task")

const Happening = Schema.Struct({
  what: Schema.Union([
    Schema.Literals(["takeover", "resume", "cancel", "claim"]),
    Schema.Struct({ status: Schema.Literal("NEEDS_HELP") }),
    Schema.Struct({ status: Schema.Literal("COMPLETED"), description: Schema.Literal("done") })
  ]),
  task: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: tasks.length - 1 }))
})

const restart = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  yield* sql`DELETE FROM "Task"`
  for (const { id, user } of tasks) {
    yield* sql`
      INSERT INTO "User" ("id", "email", "name", "updatedAt") VALUES (${user}, ${user}, ${user}, now()) ON CONFLICT DO NOTHING`
    yield* sql`
      INSERT INTO "Task" ("id", "description", "model", "userId", "createdAt", "updatedAt") VALUES (${id}, 'any', '{}', ${user}, now(), now())`
  }
  return yield* Effect.flatMap(TaskRuns, ({ own }) => own(desktop, "replica:1"))
})

const decodeControlled = Schema.decodeUnknownEffect(Schema.Array(Schema.Struct({ id: TaskId, userId: Schema.String })))
/** The tasks that are not finished and that a person controls. */
const unfinished = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  const rows = yield* sql`
    SELECT t."id", t."userId" FROM "Task" t JOIN "TaskRun" r ON r."taskId" = t."id"
    WHERE t."control" = 'USER' AND t."status" NOT IN ('COMPLETED', 'FAILED', 'CANCELLED')`
  return yield* decodeControlled(rows)
})

/** Whether the user's command on the task was accepted. */
const command = Effect.fnUntraced(function* (user: string, id: TaskId, name: "takeover" | "resume" | "cancel") {
  const commands = yield* Tasks
  const done = Effect.asVoid<Task, unknown, Caller>(commands[name](id))
  return Option.isSome(
    yield* Effect.option(Effect.provideService(done, Caller, { userId: user, seesAll: false, login: null }))
  )
})

const held = Effect.flatMap(DesktopHolds, ({ look }) => Effect.map(look(desktop, {}), (facts) => facts.held?.taskId))

layer(services, { timeout: "90 seconds", excludeTestServices: true })("input on a desktop", (test) => {
  test.effect.prop(
    "goes to no task of a user while a task of another user is held that is not finished",
    [Schema.Array(Happening).check(Schema.isBetweenLength(12, 24))],
    ([happenings]) =>
      Effect.gen(function* () {
        const { claim, finish } = yield* TaskRuns
        const owner = yield* restart
        const lease = yield* Ref.make(Option.none<Lease>())
        for (const { task, what } of happenings) {
          const { id, user } = taskAt(task)
          if (what === "takeover" || what === "resume" || what === "cancel") {
            const others = (yield* unfinished).filter(({ userId }) => userId !== user)
            const done = yield* command(user, id, what)
            if (done && what === "takeover" && others.length === 0) assert.strictEqual(yield* held, id)
          } else if (what === "claim") {
            const claimed = yield* claim(owner)
            if (Option.isSome(claimed)) yield* Ref.set(lease, Option.some(claimed.value.lease))
          } else {
            const running = yield* Ref.getAndSet(lease, Option.none())
            if (Option.isSome(running)) yield* Effect.option(finish(running.value, what))
          }
          const captured = yield* held
          const holders = new Set((yield* unfinished).map(({ userId }) => userId))
          if (captured === undefined || holders.size === 0) continue
          assert.deepStrictEqual(
            [...holders],
            tasks.flatMap((one) => (one.id === captured ? [one.user] : []))
          )
        }
      }),
    { arbitrary: { runs: 50 } }
  )
})
