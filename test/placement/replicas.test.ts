import { assert, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import * as Anthropic from "../emulators/anthropic.ts"
import * as Desktop from "../emulators/desktop.ts"
import { makeReplica, type Replica } from "../support/Replicas.ts"
import { decodeTask, request } from "../support/RestClient.ts"
import { freePort, spawnService } from "../support/ServiceProcess.ts"
import { migrated } from "../support/TestDatabase.ts"
import { until } from "../support/Waiting.ts"

const decodeDesktops = Schema.decodeUnknownSync(
  Schema.Tuple([Schema.Struct({ owner: Schema.NullOr(Schema.String), state: Schema.String })])
)

const setUp = Effect.gen(function* () {
  const databaseUrl = yield* migrated
  const model = yield* Anthropic.scoped({ defaultReply: { hang: true } })
  const desktop = yield* Desktop.scoped()
  const replicas = yield* Effect.forEach([0, 1], () =>
    makeReplica({
      databaseUrl,
      decide: () => "pass",
      isOneOfMany: true,
      variables: {
        ANTHROPIC_API_KEY: "test-key",
        ANTHROPIC_BASE_URL: model.url,
        BYTEBOT_DESKTOP_BASE_URL: desktop.url,
        SHUTDOWN_TIMEOUT: "5000"
      }
    })
  )
  yield* Effect.forEach(replicas, ({ start }) => start, { concurrency: "unbounded" })

  const create = (replica: Replica) =>
    Effect.map(request(replica.url, "POST", "/tasks", { description: "spread" }), ({ json }) => decodeTask(json).id)
  const status = (replica: Replica, id: string) =>
    Effect.map(request(replica.url, "GET", `/tasks/${id}`), ({ json }) => decodeTask(json).status)
  /** The replica that drives the desktop, and another one. */
  const roles = Effect.gen(function* () {
    const desktops = yield* request(replicas[0]?.url ?? "", "GET", "/desktops")
    const [{ owner }] = decodeDesktops(desktops.json)
    const driver = replicas.find(({ name }) => name === owner)
    const other = replicas.find(({ name }) => name !== owner)
    if (driver === undefined || other === undefined) return yield* Effect.die(new Error(`nobody is ${owner}`))
    return { driver, other }
  })
  const nextCall = (n: number) => Effect.promise(() => model.waitForRequest(n, 20_000))
  const aborted = (n: number) => Effect.promise(() => model.waitFor((requests) => requests[n - 1]?.aborted, 20_000))
  return { model, desktop, create, status, roles, nextCall, aborted, replicas }
})

const done = {
  content: [{ type: "tool_use" as const, name: "set_task_status", input: { status: "completed", description: "done" } }]
}

it.live(
  "replicas: a request to any of them reaches the one that drives the desktop",
  () =>
    Effect.gen(function* () {
      const { aborted, create, desktop, model, nextCall, replicas, roles, status } = yield* setUp
      const [some] = replicas
      if (some === undefined) return
      const first = yield* create(some)
      yield* nextCall(1)
      const { driver, other } = yield* roles

      yield* request(other.url, "POST", `/tasks/${first}/takeover`)
      yield* aborted(1)
      yield* Effect.promise(() => desktop.waitForRequest("POST /input-tracking/start"))
      yield* request(other.url, "POST", `/tasks/${first}/resume`)
      yield* nextCall(2)
      yield* request(other.url, "POST", `/tasks/${first}/cancel`)
      yield* aborted(2)
      assert.strictEqual(yield* status(driver, first), "CANCELLED")

      const second = yield* create(other)
      yield* nextCall(3)
      // On a machine that is short of breath the desktop may have changed hands meanwhile.
      const bystander = (yield* roles).other
      yield* request(bystander.url, "DELETE", `/tasks/${second}`)
      yield* aborted(3)

      model.setDefault(done)
      const third = yield* create(other)
      yield* until(
        "the task is completed",
        Effect.map(status(driver, third), (now) => (now === "COMPLETED" ? true : undefined))
      )
      assert.deepStrictEqual(model.rejected, [])
    }).pipe(Effect.scoped),
  90_000
)

it.live(
  "replicas: one that is stopped lets the model's call end, stores the reply, and another one goes on",
  () =>
    Effect.gen(function* () {
      const { create, desktop, model, nextCall, replicas, roles, status } = yield* setUp
      const [some] = replicas
      if (some === undefined) return
      const release = Promise.withResolvers<void>()
      model.enqueue(async () => {
        await release.promise
        return {
          content: [{ type: "tool_use", name: "computer_click_mouse", input: { button: "left", clickCount: 1 } }]
        }
      }, done)
      const id = yield* create(some)
      yield* nextCall(1)
      const { driver, other } = yield* roles
      driver.process().signal("SIGTERM")
      yield* until(
        "it takes no new work",
        Effect.map(Effect.exit(request(driver.url, "GET", "/health/ready")), (exit) =>
          exit._tag === "Failure" || exit.value.status === 503 ? true : undefined
        )
      )
      release.resolve()
      assert.strictEqual(yield* driver.process().ended, 0)
      yield* until(
        "the task is completed",
        Effect.map(status(other, id), (now) => (now === "COMPLETED" ? true : undefined))
      )
      assert.lengthOf(model.requests, 2)
      assert.isFalse(model.requests[0]?.aborted)
      assert.strictEqual(desktop.executed.filter(({ action }) => action === "click_mouse").length, 1)
    }).pipe(Effect.scoped),
  90_000
)

it.live("replicas: a port that is taken is explained", () =>
  Effect.gen(function* () {
    const databaseUrl = yield* migrated
    const { replicas } = yield* setUp
    const taken = replicas[0]?.name.split(":")[1] ?? ""
    const service = yield* spawnService(yield* freePort, {
      DATABASE_URL: databaseUrl,
      CLUSTER: "true",
      CLUSTER_HOST: "127.0.0.1",
      CLUSTER_PORT: taken
    })
    assert.strictEqual(yield* service.ended, 1)
    assert.include(service.output(), `Cannot listen on 127.0.0.1:${taken} for the other replicas`)
    assert.include(service.output(), "EADDRINUSE")
  }).pipe(Effect.scoped)
)
