import { createServer } from "node:net"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Schema } from "effect"
import { SqlClient } from "effect/sql"
import { migrate } from "../../src/database/Migrator.ts"
import { request } from "../support/RestClient.ts"
import { relay } from "../support/relay.ts"
import { canMount, smallDisk } from "../support/SmallDisk.ts"
import * as TestDatabase from "../support/TestDatabase.ts"
import { startService } from "../support/TestService.ts"
import { until } from "../support/Waiting.ts"

/** What load balancers, orchestrators and people are told of the service's health (docs/contract/rest.md, the Rust version's routes). */

const decodeHealth = Schema.decodeUnknownSync(
  Schema.Struct({
    status: Schema.String,
    reason: Schema.optionalKey(Schema.String),
    timestamp: Schema.DateTimeUtcFromString,
    version: Schema.String,
    service: Schema.Literal("bytebot-agent"),
    uptime_seconds: Schema.optionalKey(Schema.Finite),
    database: Schema.Struct({
      connected: Schema.Boolean,
      error: Schema.optionalKey(Schema.NullOr(Schema.String)),
      round_trip_ms: Schema.optionalKey(Schema.NullOr(Schema.Finite)),
      pool_stats: Schema.NullOr(Schema.Record(Schema.String, Schema.Int)),
      migrations: Schema.optionalKey(
        Schema.NullOr(
          Schema.Struct({
            applied: Schema.Int,
            pending: Schema.Array(Schema.String),
            last: Schema.NullOr(Schema.Struct({ name: Schema.String, applied_at: Schema.DateTimeUtcFromString }))
          })
        )
      )
    })
  })
)

const decodeReady = Schema.decodeUnknownSync(
  Schema.Struct({ status: Schema.String, reason: Schema.optionalKey(Schema.String) })
)

const healthAt = (url: string, path = "/health") =>
  Effect.map(request(url, "GET", path), ({ json, status }) => ({ status, body: decodeHealth(json) }))

const readyAt = (url: string) =>
  Effect.map(request(url, "GET", "/health/ready"), ({ json, status }) => ({ status, body: decodeReady(json) }))

const freePort = Effect.callback<number>((resume) => {
  const server = createServer().listen(0, "127.0.0.1", () => {
    const address = server.address()
    server.close(() => resume(Effect.succeed(typeof address === "object" && address !== null ? address.port : 0)))
  })
})

/** The same database by way of another port. */
const through = (url: string, port: number): string => {
  const other = new URL(url)
  other.host = `127.0.0.1:${port}`
  return other.href
}

const withDatabase = (url: string, name: string): string => {
  const other = new URL(url)
  other.pathname = `/${name}`
  return other.href
}

describe("health", () => {
  it.live("of a service that works", () =>
    Effect.gen(function* () {
      const { url } = yield* startService({ DATABASE_URL: yield* TestDatabase.migrated, DATABASE_POOL_MAX: "7" })
      for (const prefix of ["", "/api"]) {
        const overview = yield* healthAt(url, `${prefix}/health`)
        assert.deepStrictEqual([overview.status, overview.body.status], [200, "healthy"])
        assert.isTrue(overview.body.database.connected)
        assert.hasAllKeys(overview.body.database.pool_stats, ["size", "idle"])
        const { body, status } = yield* healthAt(url, `${prefix}/health/detailed`)
        assert.strictEqual(status, 200)
        assert.strictEqual(body.database.pool_stats?.max, 7)
        assert.isAbove(body.database.round_trip_ms ?? 0, 0)
        assert.deepStrictEqual(body.database.migrations?.pending, [])
        assert.match(body.database.migrations?.last?.name ?? "", /^\d{14}_/)
        assert.deepStrictEqual((yield* request(url, "GET", `${prefix}/health/ready`)).status, 200)
        assert.deepStrictEqual((yield* request(url, "GET", `${prefix}/health/live`)).status, 200)
      }
      const { headers } = yield* Effect.promise(() => fetch(`${url}/health`))
      assert.strictEqual(headers.get("cache-control"), "no-store")
    }).pipe(Effect.scoped)
  )

  it.live("of a service whose database went away and came back", () =>
    Effect.gen(function* () {
      const database = yield* TestDatabase.migrated
      const port = yield* freePort
      const target = { host: new URL(database).hostname, port: Number(new URL(database).port) }
      const connected = yield* Effect.forkScoped(relay(port, target))
      const { url } = yield* startService({ DATABASE_URL: through(database, port) })
      assert.strictEqual((yield* readyAt(url)).status, 200)

      yield* Fiber.interrupt(connected)
      const away = yield* until(
        "it is noticed",
        Effect.map(readyAt(url), (ready) => (ready.status === 503 ? ready : undefined))
      )
      assert.match(away.body.reason ?? "", /^The database is away: /)
      const overview = yield* healthAt(url, "/health/detailed")
      assert.deepStrictEqual(
        [overview.status, overview.body.status, overview.body.database.connected],
        [503, "unhealthy", false]
      )
      assert.strictEqual((yield* request(url, "GET", "/health/live")).status, 200)

      yield* Effect.forkScoped(relay(port, target))
      yield* until(
        "it is ready again",
        Effect.map(readyAt(url), ({ status }) => (status === 200 ? true : undefined))
      )
    }).pipe(Effect.scoped)
  )

  it.live("of a service whose database takes connections and says nothing", () =>
    Effect.gen(function* () {
      const silent = createServer()
      yield* Effect.acquireRelease(
        Effect.callback<void>((resume) => {
          silent.listen(0, "127.0.0.1", () => resume(Effect.void))
        }),
        () => Effect.sync(() => silent.close())
      )
      const database = yield* TestDatabase.migrated
      const port = yield* freePort
      const target = { host: new URL(database).hostname, port: Number(new URL(database).port) }
      const connected = yield* Effect.forkScoped(relay(port, target))
      const { url } = yield* startService({ DATABASE_URL: through(database, port) })
      yield* Fiber.interrupt(connected)
      const address = silent.address()
      yield* Effect.forkScoped(
        relay(port, { host: "127.0.0.1", port: typeof address === "object" && address !== null ? address.port : 0 })
      )
      yield* until(
        "it is noticed",
        Effect.map(readyAt(url), (ready) => (ready.status === 503 ? ready : undefined))
      )
    }).pipe(Effect.scoped)
  )
})

const untilReadyIs = (url: string, status: number) =>
  until(
    `/health/ready answers ${status}`,
    Effect.map(readyAt(url), (ready) => (ready.status === status ? ready : undefined))
  )

describe("a database that can't be written", () => {
  it.live("is read-only: the service is not ready, says why, and is ready again when that is over", () =>
    Effect.gen(function* () {
      const database = yield* TestDatabase.migrated
      const name = new URL(database).pathname.slice(1)
      const { url } = yield* startService({ DATABASE_URL: database })
      const set = (clause: string) =>
        Effect.gen(function* () {
          const sql = yield* SqlClient.SqlClient
          yield* sql.unsafe(`ALTER DATABASE "${name}" ${clause}`)
          // Connections that are open keep the setting that they began with.
          yield* sql`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = ${name}`
        }).pipe(Effect.provide(TestDatabase.clientLayer(withDatabase(database, "postgres"))))
      assert.strictEqual((yield* readyAt(url)).status, 200)
      yield* set("SET default_transaction_read_only = on")
      const { body } = yield* until(
        "it is said",
        Effect.map(readyAt(url), (ready) => (ready.body.reason?.includes("read-only") === true ? ready : undefined))
      )
      assert.match(body.reason ?? "", /^The database is read-only\. .*primary/)
      const detailed = yield* healthAt(url, "/health/detailed")
      assert.deepStrictEqual([detailed.status, detailed.body.database.connected], [503, true])
      yield* set("RESET default_transaction_read_only")
      yield* untilReadyIs(url, 200)
    }).pipe(Effect.scoped)
  )

  it.live.skipIf(!canMount)(
    "has a full disk: the service is not ready, says why, and is ready again when there is room",
    () =>
      Effect.gen(function* () {
        const disk = yield* smallDisk("300m")
        const { url } = yield* startService({ BYTEBOT_DATA_DIR: disk.folder, LOG_LEVEL: "error" })
        yield* untilReadyIs(url, 200)
        yield* disk.fill
        const { body } = yield* until(
          "it is said",
          Effect.map(readyAt(url), (ready) => (ready.status === 503 ? ready : undefined))
        )
        assert.match(body.reason ?? "", /^The database's disk is full\. Free some space/)
        yield* disk.free
        yield* untilReadyIs(url, 200)
      }).pipe(Effect.scoped),
    120_000
  )
})

describe("MIGRATE_ON_START=false", () => {
  it.live("a service waits for the migrations, says so, and works as soon as they are there", () =>
    Effect.gen(function* () {
      const database = yield* TestDatabase.empty
      const port = yield* freePort
      const url = `http://127.0.0.1:${port}`
      const starting = yield* Effect.forkScoped(
        startService({ DATABASE_URL: database, MIGRATE_ON_START: "false", PORT: String(port) })
      )
      const waiting = yield* until(
        "it answers",
        Effect.promise(() =>
          fetch(`${url}/health/ready`).then(
            async (response) => decodeReady(await response.json()),
            () => undefined
          )
        ).pipe(Effect.map((ready) => (ready?.reason?.includes("migration") === true ? ready : undefined)))
      )
      assert.strictEqual(waiting.status, "not_ready")
      assert.match(
        waiting.reason ?? "",
        /^The database waits for migrations: 20261124000000_schema, .*npx bytebot-agent migrate up/
      )
      assert.strictEqual((yield* request(url, "GET", "/health/live")).status, 200)
      assert.strictEqual((yield* healthAt(url)).status, 503)
      const refused = yield* request(url, "POST", "/api/tasks", { description: "too early" })
      assert.deepStrictEqual(
        [refused.status, refused.json],
        [503, { message: waiting.reason, error: "Service Unavailable", statusCode: 503 }]
      )
      for (const path of [
        "/health",
        "/api/health/detailed",
        "/health/ready",
        "/tasks",
        "/nowhere",
        "/socket.io/?EIO=4"
      ]) {
        const { headers, status } = yield* Effect.promise(() => fetch(`${url}${path}`))
        assert.deepStrictEqual([path, status, Number(headers.get("retry-after"))], [path, 503, 1])
      }
      yield* Effect.provide(migrate, TestDatabase.clientLayer(database))
      yield* Fiber.join(starting)
      assert.strictEqual((yield* readyAt(url)).status, 200)
      assert.strictEqual(
        (yield* request(url, "POST", "/tasks", {
          description: "now",
          model: { provider: "anthropic", name: "x", title: "x" }
        })).status,
        201
      )
    }).pipe(Effect.scoped)
  )
})
