import { mkdtemp, rm } from "node:fs/promises"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Context, Deferred, Effect, Layer, Logger } from "effect"
import { SqlClient } from "effect/sql"
import { Settings } from "../../src/config/Settings.ts"
import { Startup } from "../../src/health/Startup.ts"
import { Database } from "../../src/database/Database.ts"
import { relay } from "../support/relay.ts"
import { admin, clientLayer, dropAtEnd, migrated, uniqueName, urlOf } from "../support/TestDatabase.ts"

/** Builds the layer as the service does; the database is there until the scope closes. */
const connect = (variables: Readonly<Record<string, string>>) =>
  Layer.build(Database.layer.pipe(Layer.provide(Startup.layer), Layer.provide(Settings.layerFrom(variables))))

/** The lines that the effect logs. */
const logged = <A, E, R>(effect: Effect.Effect<A, E, R>, onLine: (line: string) => void = () => undefined) => {
  const lines: Array<string> = []
  const logger = Logger.make(({ message }) => {
    lines.push(String(message))
    onLine(String(message))
  })
  return Effect.map(Effect.provide(effect, Logger.layer([logger])), (value) => ({ value, lines }))
}

const closedPort = Effect.callback<number>((resume) => {
  const server = createServer()
  server.listen(0, "127.0.0.1", () => {
    const address = server.address()
    server.close(() => resume(Effect.succeed(typeof address === "object" ? (address?.port ?? 0) : 0)))
  })
})

describe("Database.layer", () => {
  it.live("creates the database that the URL names, once", () =>
    Effect.gen(function* () {
      const name = `${uniqueName()} "ü"/% x`
      yield* dropAtEnd(name)
      const DATABASE_URL = urlOf(encodeURIComponent(name))
      const starts = Effect.all([connect({ DATABASE_URL }), connect({ DATABASE_URL }), connect({ DATABASE_URL })], {
        concurrency: "unbounded"
      })
      const { lines, value } = yield* logged(starts)
      assert.strictEqual(lines.filter((line) => line.startsWith("Created the database")).length, 1)
      for (const context of value) {
        const rows = yield* Context.get(
          context,
          SqlClient.SqlClient
        )`SELECT count(*)::int AS n, current_database() AS name FROM "Task"`
        assert.deepStrictEqual(rows, [{ n: 0, name }])
      }
    }).pipe(Effect.scoped)
  )

  it.live("says what it uses, without the password", () =>
    Effect.gen(function* () {
      const url = new URL(yield* migrated)
      const { info } = Context.get(yield* connect({ DATABASE_URL: url.href }), Database)
      assert.strictEqual(info.kind, "server")
      assert.match(info.description, /^PostgreSQL \d+\.\d+, at .*\/bytebot_test_\w+$/)
      if (url.password !== "") assert.notInclude(info.description, url.password)
    }).pipe(Effect.scoped)
  )

  it.live("says what to grant when it may not create the database", () =>
    Effect.gen(function* () {
      const sql = yield* admin
      const role = uniqueName()
      yield* Effect.acquireRelease(sql`CREATE ROLE ${sql(role)}`, () => Effect.orDie(sql`DROP ROLE ${sql(role)}`))
      const url = new URL(urlOf(uniqueName()))
      url.searchParams.set("options", `-c role=${role}`)
      const error = yield* Effect.flip(connect({ DATABASE_URL: url.href }))
      assert.strictEqual(error._tag, "DatabaseNotCreated")
      assert.match(
        error.message,
        /permission denied to create database.*CREATE DATABASE "bytebot_test_\w+" OWNER.*ALTER ROLE .* CREATEDB/s
      )
    }).pipe(Effect.scoped)
  )

  it.live("says what to grant when it may not create tables", () =>
    Effect.gen(function* () {
      const sql = yield* admin
      const role = uniqueName()
      const name = uniqueName()
      yield* Effect.acquireRelease(sql`CREATE ROLE ${sql(role)}`, () => Effect.orDie(sql`DROP ROLE ${sql(role)}`))
      yield* dropAtEnd(name)
      yield* sql`CREATE DATABASE ${sql(name)}`
      const url = new URL(urlOf(name))
      url.searchParams.set("options", `-c role=${role}`)
      const error = yield* Effect.flip(connect({ DATABASE_URL: url.href }))
      assert.match(error.message, /permission denied for schema public.*GRANT USAGE, CREATE ON SCHEMA public/s)
    }).pipe(Effect.scoped)
  )

  it.live("refuses a database that does not store UTF-8, before it changes anything", () =>
    Effect.gen(function* () {
      const sql = yield* admin
      const name = uniqueName()
      yield* dropAtEnd(name)
      yield* sql`CREATE DATABASE ${sql(name)} ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0`
      const error = yield* Effect.flip(connect({ DATABASE_URL: urlOf(name) }))
      assert.match(error.message, /stores text as LATIN1; the service needs UTF8.*ENCODING 'UTF8' TEMPLATE template0/s)
      const tables = yield* Effect.provide(
        Effect.flatMap(SqlClient.SqlClient, (there) => there`SELECT 1 FROM pg_tables WHERE schemaname = 'public'`),
        clientLayer(urlOf(name))
      )
      assert.deepStrictEqual(tables, [])
    }).pipe(Effect.scoped)
  )

  it.live("does not try a refused login again", () =>
    Effect.gen(function* () {
      const url = new URL(urlOf(uniqueName()))
      url.username = uniqueName()
      url.password = "tell-nobody"
      const { lines, value } = yield* logged(Effect.flip(connect({ DATABASE_URL: url.href })))
      assert.strictEqual(value._tag, "DatabaseLoginRefused")
      assert.deepStrictEqual(lines, [])
      assert.notInclude(value.message, "tell-nobody")
    }).pipe(Effect.scoped)
  )

  it.live("does not try again where encryption is demanded and cannot be had", () =>
    Effect.gen(function* () {
      const url = new URL(urlOf("postgres"))
      url.searchParams.set("sslmode", "require")
      const { lines, value } = yield* logged(Effect.flip(connect({ DATABASE_URL: url.href })))
      assert.strictEqual(value._tag, "DatabaseTlsFailed")
      assert.deepStrictEqual(lines, [])
    }).pipe(Effect.scoped)
  )

  for (const [problem, change] of [
    ["an unknown sslmode", (url: URL) => url.searchParams.set("sslmode", "perhaps")],
    ["a port that is no number", (url: URL) => url.searchParams.set("port", "many")],
    ["a file that is not there", (url: URL) => url.searchParams.set("sslrootcert", "/does/not/exist")]
  ] as const) {
    it.live(`does not try again with ${problem} in the URL`, () =>
      Effect.gen(function* () {
        const url = new URL(urlOf("postgres"))
        change(url)
        const { lines, value } = yield* logged(Effect.flip(connect({ DATABASE_URL: url.href })))
        assert.strictEqual(value._tag, "DatabaseUrlInvalid")
        assert.deepStrictEqual(lines, [])
      }).pipe(Effect.scoped)
    )
  }

  it.live("keeps trying for as long as it is told, and logs each attempt without the password", () =>
    Effect.gen(function* () {
      const { lines, value } = yield* logged(
        Effect.flip(
          connect({
            DATABASE_URL: `postgresql://someone:tell-nobody@127.0.0.1:${yield* closedPort}/name`,
            DATABASE_CONNECT_RETRY: "700"
          })
        )
      )
      assert.strictEqual(value._tag, "DatabaseUnreachable")
      assert.match(value.message, /127\.0\.0\.1:\d+\/name does not answer: .*ECONNREFUSED/)
      assert.isAtLeast(lines.length, 2)
      for (const text of [...lines, value.message]) assert.notInclude(text, "tell-nobody")
    }).pipe(Effect.scoped)
  )

  it.live("goes on as soon as a late server answers", () =>
    Effect.gen(function* () {
      const port = yield* closedPort
      const tried = yield* Deferred.make<void>()
      const url = new URL(yield* migrated)
      const socket = url.searchParams.get("host")
      const target =
        socket === null
          ? { host: url.hostname, port: Number(url.port || "5432") }
          : { path: `${socket}/.s.PGSQL.${url.port || "5432"}` }
      url.searchParams.delete("host")
      url.hostname = "127.0.0.1"
      url.port = String(port)
      yield* Effect.forkScoped(Effect.andThen(Deferred.await(tried), relay(port, target)))
      const { value } = yield* logged(connect({ DATABASE_URL: url.href }), () =>
        Deferred.doneUnsafe(tried, Effect.void)
      )
      assert.strictEqual(Context.get(value, Database).info.kind, "server")
    }).pipe(Effect.scoped)
  )

  it.live("starts a private server when there is no DATABASE_URL", () =>
    Effect.gen(function* () {
      const folder = yield* Effect.acquireRelease(
        Effect.promise(() => mkdtemp(join(tmpdir(), "bytebot-embedded-"))),
        (path) => Effect.promise(() => rm(path, { recursive: true, force: true }))
      )
      const context = yield* connect({ BYTEBOT_DATA_DIR: folder, DATABASE_POOL_MAX: "150" })
      const { info } = Context.get(context, Database)
      assert.strictEqual(info.kind, "embedded")
      assert.match(info.description, /^PostgreSQL \d+\.\d+, private, in .*\/postgres$/)
      const sql = Context.get(context, SqlClient.SqlClient)
      const rows =
        yield* sql`SELECT current_setting('TimeZone') AS zone, current_setting('max_connections') AS connections`
      assert.deepStrictEqual(rows, [{ zone: "UTC", connections: "170" }])
    }).pipe(Effect.scoped)
  )
})
