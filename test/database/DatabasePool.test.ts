import { PgClient } from "@effect/sql-pg"
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Fiber, Layer, Option, Stream } from "effect"
import type { SqlClient } from "effect/sql"
import { Settings } from "../../src/config/Settings.ts"
import { Startup } from "../../src/health/Startup.ts"
import { Database } from "../../src/database/Database.ts"
import { DatabasePool } from "../../src/database/DatabasePool.ts"
import { Network } from "../support/Network.ts"
import { tap } from "../support/PostgresTap.ts"
import { admin, migrated } from "../support/TestDatabase.ts"
import { until } from "../support/Waiting.ts"

/** The pool and the client of a service with at most two connections. */
const connectTo = Effect.fnUntraced(function* (url: string, variables: Readonly<Record<string, string>> = {}) {
  const context = yield* Layer.build(
    Database.layer.pipe(
      Layer.provide(Startup.layer),
      Layer.provide(Settings.layerFrom({ DATABASE_URL: url, DATABASE_POOL_MAX: "2", ...variables }))
    )
  )
  return {
    sql: Context.get(context, PgClient.PgClient),
    stats: Context.get(context, DatabasePool).stats,
    database: new URL(url).pathname.slice(1)
  }
})

const connect = Effect.flatMap(migrated, (url) => connectTo(url))

describe("a connection that is left in a transaction", () => {
  const connectOnce = Effect.flatMap(migrated, (url) => connectTo(url, { DATABASE_POOL_MAX: "1" }))

  it.live("does not return to the pool, failed or not", () =>
    Effect.gen(function* () {
      const { sql } = yield* connectOnce
      const pid = sql`SELECT pg_backend_pid() AS pid`
      for (const statement of ["SELECT 1", "SELECT 1/0"]) {
        const before = yield* pid
        const inTransaction = Effect.gen(function* () {
          const connection = yield* sql.reserve
          yield* connection.executeRaw("BEGIN", [])
          yield* Effect.ignore(connection.executeRaw(statement, []))
        })
        yield* Effect.scoped(inTransaction)
        assert.notDeepEqual(yield* pid, before)
      }
    }).pipe(Effect.scoped)
  )

  it.live("is replaced when a statement shows that it is in a failed one", () =>
    Effect.gen(function* () {
      const { sql } = yield* connectOnce
      // A transaction that the pool has not seen begin, as behind a pooler.
      yield* sql.unsafe("/**/ BEGIN")
      yield* Effect.flip(sql.unsafe("SELECT 1/0"))
      yield* Effect.flip(sql`SELECT 1`)
      yield* sql`SELECT 1`
    }).pipe(Effect.scoped)
  )

  it.live("returns to the pool after its end", () =>
    Effect.gen(function* () {
      const { sql } = yield* connectOnce
      const pid = sql`SELECT pg_backend_pid() AS pid`
      const before = yield* pid
      yield* sql.withTransaction(Effect.ignore(sql.withTransaction(Effect.fail("undone"))))
      yield* Effect.flip(sql.withTransaction(sql`SELECT 1/0`))
      assert.deepStrictEqual(yield* pid, before)
    }).pipe(Effect.scoped)
  )
})

describe("a read-only session", () => {
  it.live("is replaced once a statement has failed for it", () =>
    Effect.gen(function* () {
      const { sql } = yield* Effect.flatMap(migrated, (url) => connectTo(url, { DATABASE_POOL_MAX: "1" }))
      yield* sql`SET default_transaction_read_only = on`
      const write = sql`DELETE FROM "Task"`
      yield* Effect.flip(write)
      yield* write
    }).pipe(Effect.scoped)
  )
})

describe("a statement", () => {
  it.live("is cancelled when its caller is interrupted, and its connection is not used again", () =>
    Effect.gen(function* () {
      const { database, sql } = yield* Effect.flatMap(migrated, (url) => connectTo(url, { DATABASE_POOL_MAX: "1" }))
      const [before] = yield* sql`SELECT pg_backend_pid() AS pid`
      const sleeping = yield* Effect.forkChild(sql`SELECT pg_sleep(60)`)
      const server = yield* admin
      const running = server`SELECT pid FROM pg_stat_activity WHERE datname = ${database} AND query = 'SELECT pg_sleep(60)' AND state = 'active'`
      yield* until(
        "it runs",
        Effect.map(running, (rows) => rows[0])
      )
      yield* Fiber.interrupt(sleeping)
      assert.deepStrictEqual(yield* running, [])
      const [after] = yield* sql`SELECT pg_backend_pid() AS pid`
      assert.notDeepEqual(after, before)
    }).pipe(Effect.scoped)
  )
})

describe("a stream", () => {
  const rows = (sql: SqlClient.SqlClient) =>
    sql`SELECT repeat('x', 10000) AS "text" FROM generate_series(1, 5000)`.stream

  it.live("is read as fast as its reader wants, and gives the connection back at its end", () =>
    Effect.gen(function* () {
      const { sql } = yield* Effect.flatMap(migrated, (url) => connectTo(url, { DATABASE_POOL_MAX: "1" }))
      const pid = sql`SELECT pg_backend_pid() AS pid`
      const before = yield* pid
      assert.strictEqual(yield* Stream.runCount(rows(sql)), 5000)
      assert.deepStrictEqual(yield* pid, before)
      assert.strictEqual(yield* Stream.runCount(Stream.take(rows(sql), 10)), 10)
      assert.notDeepEqual(yield* pid, before)
    }).pipe(Effect.scoped)
  )

  it.live("fails when the server falls silent between rows", () =>
    Effect.gen(function* () {
      const network = yield* Network.to(yield* migrated)
      const { sql } = yield* connectTo(network.url, { DATABASE_STATEMENT_TIMEOUT: "500", DATABASE_POOL_MAX: "1" })
      const { reason } = yield* Effect.flip(
        Stream.runForEach(rows(sql), () => Effect.sync(() => network.loseAnswers()))
      )
      assert.strictEqual(reason._tag, "ConnectionError")
      yield* sql`SELECT 1`
    }).pipe(Effect.scoped)
  )
})

describe("DatabasePool.stats", () => {
  it.live("counts connections, idle ones, and callers without a lease", () =>
    Effect.gen(function* () {
      const { sql, stats } = yield* connect
      yield* sql`SELECT 1`
      assert.deepStrictEqual(yield* stats, { max: 2, size: 1, idle: 1, waiting: 0 })

      const hold = sql.withTransaction(sql`SELECT pg_sleep(60)`)
      const holders = yield* Effect.forEach([1, 2], () => Effect.forkScoped(hold))
      const both = { max: 2, size: 2, idle: 0 }
      const becomes = (waiting: number) =>
        until(
          `${waiting} wait`,
          Effect.map(stats, (now) => (now.size === 2 && now.idle === 0 && now.waiting === waiting ? now : undefined))
        )
      assert.deepStrictEqual(yield* becomes(0), { ...both, waiting: 0 })

      const others = yield* Effect.forEach([1, 2, 3], () => Effect.forkScoped(sql`SELECT 1`))
      assert.deepStrictEqual(yield* becomes(3), { ...both, waiting: 3 })

      yield* Fiber.interruptAll(holders)
      yield* Effect.forEach(others, Fiber.join)
      const rest = yield* until(
        "all are idle",
        Effect.map(stats, (now) => (now.idle === now.size && now.waiting === 0 ? now : undefined))
      )
      assert.strictEqual(rest.max, 2)
    }).pipe(Effect.scoped)
  )

  it.live("does not count connections that the server closed, leased or idle", () =>
    Effect.gen(function* () {
      const { database, sql, stats } = yield* connect
      const held = yield* Effect.forkScoped(Effect.flip(sql.withTransaction(sql`SELECT pg_sleep(60)`)))
      yield* until(
        "a transaction has begun",
        Effect.map(stats, ({ idle, size }) => (size > idle ? true : undefined))
      )
      yield* sql`SELECT 1`
      const server = yield* admin
      yield* server`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = ${database}`
      yield* Fiber.join(held)
      yield* until(
        "none is left",
        Effect.map(stats, ({ size }) => (size === 0 ? true : undefined))
      )
      yield* sql`SELECT 1`
      assert.deepStrictEqual(yield* stats, { max: 2, size: 1, idle: 1, waiting: 0 })
    }).pipe(Effect.scoped)
  )
})

describe("DatabasePool", () => {
  it.live("opens another connection while a slow statement runs", () =>
    Effect.gen(function* () {
      const { sql, stats } = yield* connect
      const slow = yield* Effect.forkScoped(sql`SELECT pg_sleep(60)`)
      yield* until(
        "the statement runs",
        Effect.map(stats, ({ idle, size }) => (size > idle ? true : undefined))
      )
      yield* Effect.timeout(sql`SELECT 1`, "5 seconds")
      yield* sql.withTransaction(sql`SELECT 1`)
      assert.isUndefined(slow.pollUnsafe())
    }).pipe(Effect.scoped)
  )

  it.live("closes connections on which the server is silent, and opens others afterwards", () =>
    Effect.gen(function* () {
      const network = yield* Network.to(yield* migrated)
      const { sql, stats } = yield* connectTo(network.url, {
        DATABASE_STATEMENT_TIMEOUT: "500",
        DATABASE_CONNECT_TIMEOUT: "500"
      })
      yield* sql`SELECT 1`
      network.freeze()
      const failed = yield* Effect.forEach(
        [sql`SELECT 1`, sql.withTransaction(sql`SELECT 1`), sql`SELECT 2`],
        (statement) => Effect.flip(statement),
        { concurrency: "unbounded" }
      )
      assert.deepStrictEqual(
        failed.map(({ reason }) => reason._tag),
        ["ConnectionError", "ConnectionError", "ConnectionError"]
      )
      network.thaw()
      yield* until(
        "the database answers",
        Effect.orElseSucceed(sql`SELECT 1`, () => undefined)
      )
      yield* sql.withTransaction(sql`SELECT 1`)
      const { size } = yield* stats
      assert.isAtMost(size, 2)
    }).pipe(Effect.scoped)
  )

  it.live("frees a silent connection after its caller has been interrupted", () =>
    Effect.gen(function* () {
      const network = yield* Network.to(yield* migrated)
      const { sql } = yield* connectTo(network.url, { DATABASE_STATEMENT_TIMEOUT: "500", DATABASE_POOL_MAX: "1" })
      yield* sql`SELECT 1`
      network.loseAnswers()
      yield* Effect.timeoutOption(sql`SELECT 1`, "50 millis")
      yield* sql.withTransaction(sql`SELECT 1`)
    }).pipe(Effect.scoped)
  )

  it.live("begins a transaction right after a statement was interrupted", () =>
    Effect.gen(function* () {
      const { sql } = yield* connectTo(yield* migrated, { DATABASE_POOL_MAX: "1" })
      yield* sql`SELECT 1`
      // All of it at once, while the driver passes on an answer.
      yield* sql`SELECT 1`
      const broken = yield* Effect.forkChild(sql`SELECT 2`, { startImmediately: true })
      broken.interruptUnsafe()
      assert.deepStrictEqual(yield* sql.withTransaction(sql`SELECT 3 AS three`), [{ three: 3 }])
    }).pipe(Effect.scoped)
  )

  it.live("closes a listener whose connection is silent", () =>
    Effect.gen(function* () {
      const network = yield* Network.to(yield* migrated)
      const { sql } = yield* connectTo(network.url, { DATABASE_STATEMENT_TIMEOUT: "500", DATABASE_POOL_MAX: "1" })
      yield* Effect.scoped(
        Effect.andThen(
          sql.listen("bytebot_events"),
          Effect.sync(() => network.loseAnswers())
        )
      )
      yield* sql`SELECT 1`
    }).pipe(Effect.scoped)
  )

  it.live("closes a connection that falls silent before it is ready", () =>
    Effect.gen(function* () {
      let isMute = false
      const way = yield* tap(yield* migrated, ({ texts }) =>
        isMute && texts.some((text) => text.includes("lock_timeout")) ? "mute" : "pass"
      )
      const { database, sql, stats } = yield* connectTo(way.url, { DATABASE_STATEMENT_TIMEOUT: "300" })
      isMute = true
      yield* (yield* admin)`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = ${database}`
      yield* until(
        "all connections are gone",
        Effect.map(stats, ({ size }) => (size === 0 ? true : undefined))
      )
      const { reason } = yield* Effect.flip(sql`SELECT 1`)
      assert.strictEqual(reason._tag, "ConnectionError")
      isMute = false
      yield* until("the database answers", Effect.map(Effect.option(sql`SELECT 1`), Option.getOrUndefined))
    }).pipe(Effect.scoped)
  )

  it.live("opens connections again after an outage during which callers come and go", () =>
    Effect.gen(function* () {
      const network = yield* Network.to(yield* migrated)
      const { sql } = yield* connectTo(network.url, { DATABASE_POOL_MAX: "4", DATABASE_STATEMENT_TIMEOUT: "20000" })
      // Some caller always waits for a connection, and the number of those needed changes all the time.
      const random = (max: number) => Effect.suspend(() => Effect.sleep(Math.random() * max))
      const endlessly = (use: Effect.Effect<unknown, unknown>) =>
        Effect.forkScoped(Effect.forever(Effect.andThen(Effect.ignore(use), random(10))))
      for (let user = 0; user < 6; user++) yield* endlessly(sql`SELECT 1`)
      for (let user = 0; user < 3; user++)
        yield* endlessly(sql.withTransaction(Effect.andThen(sql`SELECT 1`, random(40))))
      for (let round = 0; round < 40; round++) {
        network.refuse(20)
        yield* random(100)
        network.accept()
        yield* until(
          "the database is back",
          Effect.orElseSucceed(sql`SELECT 1`, () => undefined),
          "10 seconds"
        )
      }
    }).pipe(Effect.scoped)
  )

  it.live("serves statements, transactions and long leases in any order of arrival", () =>
    Effect.gen(function* () {
      const url = yield* migrated
      for (let round = 0; round < 20; round++) {
        yield* Effect.gen(function* () {
          const { sql } = yield* connectTo(url, { DATABASE_POOL_MAX: "4" })
          const keepers = Array.from({ length: 2 }, () => Effect.asVoid(sql.reserve))
          const sharers = Array.from({ length: 6 }, () => Effect.asVoid(sql`SELECT 1`))
          const transactions = Array.from({ length: 4 }, () => Effect.asVoid(sql.withTransaction(sql`SELECT 1`)))
          const fibers = yield* Effect.forEach([...keepers, ...sharers, ...transactions], (use) =>
            Effect.repeat(Effect.yieldNow, { times: Math.floor(Math.random() * 20) }).pipe(
              Effect.andThen(use),
              Effect.forkScoped
            )
          )
          // A caller that is not woken waits until a long lease ends.
          yield* Effect.timeout(Effect.forEach(fibers, Fiber.join), "5 seconds")
        }).pipe(Effect.scoped)
      }
    }).pipe(Effect.scoped)
  )

  it.live("lets a statement run whose answer keeps arriving", () =>
    Effect.gen(function* () {
      const { sql } = yield* connectTo(yield* migrated, { DATABASE_STATEMENT_TIMEOUT: "300" })
      const rows = yield* sql`SELECT pg_sleep(0.05), repeat('x', 100000) FROM generate_series(1, 20)`
      assert.lengthOf(rows, 20)
    }).pipe(Effect.scoped)
  )

  it.live("has the server end a wait for a lock, and the transaction of a client that is gone", () =>
    Effect.gen(function* () {
      const url = yield* migrated
      const network = yield* Network.to(url)
      const variables = { DATABASE_STATEMENT_TIMEOUT: "1500" }
      const gone = yield* connectTo(network.url, variables)
      const other = yield* connectTo(url, variables)
      const lock = (sql: SqlClient.SqlClient) => sql`LOCK TABLE "Task"`
      yield* gone.sql
        .withTransaction(
          Effect.gen(function* () {
            yield* lock(gone.sql)
            network.freeze()
            yield* Effect.flip(lock(gone.sql))
          })
        )
        .pipe(Effect.flip)
      const refused = yield* Effect.flip(other.sql.withTransaction(lock(other.sql)))
      assert.strictEqual(refused.reason._tag, "LockTimeoutError")
      yield* until(
        "the lock is free",
        Effect.orElseSucceed(other.sql.withTransaction(lock(other.sql)), () => undefined)
      )
    }).pipe(Effect.scoped)
  )
})
