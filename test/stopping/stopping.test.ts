import { connect } from "node:net"
import { fileURLToPath } from "node:url"
import { assert, it } from "@effect/vitest"
import { Effect, Fiber, Schedule, Schema } from "effect"
import * as Anthropic from "../emulators/anthropic.ts"
import * as Desktop from "../emulators/desktop.ts"
import { client } from "../socket/Clients.ts"
import { request } from "../support/RestClient.ts"
import { freePort, spawnService, untilReady } from "../support/ServiceProcess.ts"
import { migrated } from "../support/TestDatabase.ts"
import { until } from "../support/Waiting.ts"
import { balance } from "./LoadBalancer.ts"

const replica = Effect.fnUntraced(function* (databaseUrl: string, variables: Readonly<Record<string, string>> = {}) {
  const service = yield* spawnService(yield* freePort, {
    DATABASE_URL: databaseUrl,
    CLUSTER: "true",
    CLUSTER_HOST: "127.0.0.1",
    CLUSTER_PORT: String(yield* freePort),
    ...variables
  })
  yield* untilReady(service)
  return service
})

const status = (url: string) =>
  Effect.promise(() =>
    fetch(url).then(
      (answer) => answer.status,
      () => 0
    )
  )

it.live(
  "behind a load balancer that honours readiness, no request fails while one of two replicas stops under load, and sockets move over",
  () =>
    Effect.gen(function* () {
      const databaseUrl = yield* migrated
      const [leaving, staying] = yield* Effect.all([
        replica(databaseUrl, { SHUTDOWN_DELAY: "4000" }),
        replica(databaseUrl)
      ])
      const { failures, url } = yield* balance([leaving.url, staying.url])
      let answered = 0
      const load = Effect.forever(
        Effect.gen(function* () {
          const created = yield* request(url, "POST", "/tasks", {
            description: "under load",
            model: { provider: "anthropic", name: "m" }
          })
          assert.strictEqual(created.status, 201)
          yield* request(url, "GET", "/tasks?limit=5")
          answered += 2
        })
      )
      const running = yield* Effect.forkChild(
        Effect.all(
          Array.from({ length: 8 }, () => load),
          { concurrency: "unbounded" }
        )
      )
      const answeredMore = (count: number) => {
        const before = answered
        return until(
          `${count} more answers`,
          Effect.sync(() => (answered >= before + count ? true : undefined))
        )
      }
      const subscriber = yield* client(leaving.url, { transports: ["websocket"] })
      yield* until(
        "connected",
        Effect.sync(() => (subscriber.socket.connected ? true : undefined))
      )
      yield* answeredMore(50)

      leaving.signal("SIGTERM")
      yield* until(
        "it says that it is not ready",
        Effect.map(status(`${leaving.url}/health/ready`), (code) => (code === 503 ? true : undefined))
      )
      assert.strictEqual(yield* status(`${leaving.url}/tasks?limit=1`), 200, "and still answers")
      assert.strictEqual(yield* status(`${leaving.url}/health/live`), 200)
      assert.strictEqual(yield* leaving.ended, 0)
      yield* until(
        "the socket is told",
        Effect.sync(() => (subscriber.socket.connected ? undefined : true))
      )
      yield* answeredMore(50)
      yield* Fiber.interrupt(running)
      assert.deepStrictEqual(failures, [])
      // What was answered is in the database.
      const total = Schema.decodeUnknownSync(Schema.Struct({ total: Schema.Int }))(
        (yield* request(staying.url, "GET", "/tasks?limit=1")).json
      ).total
      assert.isAtLeast(total, answered / 2)
    }).pipe(Effect.scoped),
  60_000
)

it.live(
  "a model that does not answer and a client that does not read do not keep it: it ends with 0 in time",
  () =>
    Effect.gen(function* () {
      const model = yield* Anthropic.scoped({ defaultReply: { hang: true } })
      const desktop = yield* Desktop.scoped()
      const service = yield* spawnService(yield* freePort, {
        DATABASE_URL: yield* migrated,
        ANTHROPIC_API_KEY: "any",
        ANTHROPIC_BASE_URL: model.url,
        BYTEBOT_DESKTOP_BASE_URL: desktop.url,
        SHUTDOWN_TIMEOUT: "2000"
      })
      yield* untilReady(service)
      yield* request(service.url, "POST", "/tasks", { description: "never answered" })
      yield* Effect.promise(() => model.waitForRequest(1, 20_000))
      // Half a request, of which the rest never comes.
      const { hostname, port } = new URL(service.url)
      const socket = connect(Number(port), hostname)
      yield* Effect.acquireRelease(Effect.void, () => Effect.sync(() => socket.destroy()))
      socket.on("error", () => undefined)
      socket.write(
        "POST /tasks HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"
      )
      const begun = performance.now()
      service.signal("SIGTERM")
      assert.strictEqual(yield* service.ended, 0)
      // Only that it ended by itself, long before anything gave up on it.
      assert.isBelow(performance.now() - begun, 15_000)
    }).pipe(Effect.scoped),
  60_000
)

it.live(
  "the service ends in time when one of its parts never ends",
  () =>
    Effect.gen(function* () {
      const program = fileURLToPath(new URL("hangingService.ts", import.meta.url))
      const service = yield* spawnService(yield* freePort, { SHUTDOWN_TIMEOUT: "0" }, program)
      yield* until(
        "it runs",
        Effect.sync(() => (service.output().includes("ready") ? true : undefined))
      )
      service.signal("SIGTERM")
      assert.strictEqual(yield* service.ended, 1)
      assert.include(service.output(), "The service did not end in time")
    }).pipe(Effect.scoped),
  60_000
)

it.live.each(["SIGTERM", "SIGINT"] as const)(
  "a second %s ends it at once",
  (second) =>
    Effect.gen(function* () {
      const service = yield* spawnService(yield* freePort, { DATABASE_URL: yield* migrated, SHUTDOWN_DELAY: "600000" })
      yield* untilReady(service)
      service.signal("SIGTERM")
      yield* until(
        "it is leaving",
        Effect.map(status(`${service.url}/health/ready`), (code) => (code === 503 ? true : undefined))
      )
      const ended = yield* Effect.forkChild(service.ended)
      // The first of them may count as the same one, as a terminal's Ctrl-C comes twice.
      const again = Effect.repeat(
        Effect.sync(() => service.signal(second)),
        Schedule.spaced("100 millis")
      )
      const code = yield* Effect.raceFirst(Fiber.join(ended), Effect.andThen(again, Effect.never))
      assert.strictEqual(code, second === "SIGTERM" ? 143 : 130)
    }).pipe(Effect.scoped),
  60_000
)

it.live(
  "what it is, and who is connected",
  () =>
    Effect.gen(function* () {
      const service = yield* spawnService(yield* freePort, { DATABASE_URL: yield* migrated })
      yield* untilReady(service)
      const { socket } = yield* client(service.url, { transports: ["websocket"] })
      socket.on("connect", () => socket.emit("join_task", "t"))
      yield* until(
        "a room",
        Effect.map(request(service.url, "GET", "/ws-stats"), ({ json }) =>
          JSON.stringify(json) === '{"websocket":{"total_connections":1,"total_rooms":1,"rooms":{"task_t":1}}}'
            ? true
            : undefined
        )
      )
      const version = yield* request(service.url, "GET", "/api/version")
      assert.deepInclude(version.json, { service: "bytebot-agent" })
    }).pipe(Effect.scoped),
  60_000
)
