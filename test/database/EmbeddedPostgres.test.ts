import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { existsSync } from "node:fs"
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"
import { PgClient } from "@effect/sql-pg"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Redacted, Schedule } from "effect"
import * as EmbeddedPostgres from "../../src/database/EmbeddedPostgres.ts"

const folder = Effect.acquireRelease(
  Effect.promise(() => mkdtemp(join(tmpdir(), "bytebot-embedded-"))),
  (path) => Effect.promise(() => rm(path, { recursive: true, force: true }))
)

const start = (dataDir: string) =>
  EmbeddedPostgres.make({ dataDir, database: "postgres", settings: { fsync: "off" } }).pipe(
    Effect.map(({ url }) => Redacted.value(url))
  )

const query = (url: string, statement: string) =>
  Effect.flatMap(PgClient.PgClient, (sql) => sql.unsafe<Record<string, unknown>>(statement)).pipe(
    Effect.provide(PgClient.layer({ url: Redacted.make(url), maxConnections: 1 }))
  )

const store = (url: string) => query(url, "CREATE TABLE kept AS SELECT 42 AS answer")
const assertKept = (url: string) =>
  Effect.map(query(url, "SELECT answer FROM kept"), (rows) => assert.deepStrictEqual(rows, [{ answer: 42 }]))

const kill = async (child: ChildProcess) => {
  if (child.exitCode !== null || child.signalCode !== null) return
  child.kill("SIGKILL")
  await once(child, "exit")
}

/** Another process that runs a server on the folder; killed, not stopped, when the scope closes. */
const otherService = (dataDir: string) =>
  Effect.acquireRelease(
    Effect.sync(() =>
      spawn(process.execPath, [fileURLToPath(new URL("holdServer.ts", import.meta.url)), dataDir], {
        stdio: ["ignore", "pipe", "inherit"]
      })
    ),
    (child) => Effect.promise(() => kill(child))
  ).pipe(
    Effect.flatMap((child) =>
      Effect.callback<{ readonly child: ChildProcess; readonly url: string }>((resume) => {
        createInterface({ input: child.stdout }).on("line", (line) => {
          if (line.startsWith("postgresql:")) resume(Effect.succeed({ child, url: line }))
        })
      })
    )
  )

const serverPid = (dataDir: string) =>
  Effect.promise(() => readFile(join(dataDir, "postgres", "postmaster.pid"), "utf8")).pipe(
    Effect.map((text) => Number(text.split("\n")[0]))
  )

const killServer = (dataDir: string) => Effect.map(serverPid(dataDir), (pid) => process.kill(pid, "SIGKILL"))

const eventually = Effect.retry({ schedule: Schedule.upTo(Schedule.spaced("50 millis"), { duration: "20 seconds" }) })

describe("the private server", () => {
  it.live("creates its data, stops with the scope, and has all data at the next start", () =>
    Effect.gen(function* () {
      const dataDir = yield* folder
      yield* Effect.scoped(Effect.flatMap(start(dataDir), store))
      const left = yield* Effect.promise(() => readFile(join(dataDir, "postgres", "postmaster.pid")).catch(() => null))
      assert.isNull(left)
      yield* Effect.scoped(Effect.flatMap(start(dataDir), assertKept))
    }).pipe(Effect.scoped)
  )

  it.live("listens on the loopback only and asks for the password", () =>
    Effect.gen(function* () {
      const url = yield* start(yield* folder)
      assert.strictEqual(new URL(url).hostname, "127.0.0.1")
      const wrong = new URL(url)
      wrong.password = "wrong"
      const error = yield* Effect.flip(query(wrong.href, "SELECT 1"))
      assert.strictEqual(error.reason._tag, "AuthenticationError")
    }).pipe(Effect.scoped)
  )

  it.live("goes on with the data when the service was killed and its server still runs", () =>
    Effect.gen(function* () {
      const dataDir = yield* folder
      const { child, url } = yield* otherService(dataDir)
      yield* store(url)
      const orphan = yield* serverPid(dataDir)
      yield* Effect.promise(() => kill(child))
      yield* assertKept(yield* start(dataDir))
      assert.notStrictEqual(yield* serverPid(dataDir), orphan)
    }).pipe(Effect.scoped)
  )

  it.live("goes on with the data when service and server were killed", () =>
    Effect.gen(function* () {
      const dataDir = yield* folder
      const { child, url } = yield* otherService(dataDir)
      yield* store(url)
      yield* killServer(dataDir)
      yield* Effect.promise(() => kill(child))
      yield* assertKept(yield* start(dataDir))
    }).pipe(Effect.scoped)
  )

  it.live("is not misled by a lock file that names an unrelated process", () =>
    Effect.gen(function* () {
      const dataDir = yield* folder
      yield* Effect.scoped(Effect.flatMap(start(dataDir), store))
      const lines = [process.pid, join(dataDir, "postgres"), 1, 1, ".", "127.0.0.1", "1 1", "ready"]
      yield* Effect.promise(() => writeFile(join(dataDir, "postgres", "postmaster.pid"), lines.join("\n")))
      yield* assertKept(yield* start(dataDir))
    }).pipe(Effect.scoped)
  )

  it.live("refuses a folder that another service uses, which is not disturbed", () =>
    Effect.gen(function* () {
      const dataDir = yield* folder
      const { url } = yield* otherService(dataDir)
      yield* store(url)
      const error = yield* Effect.flip(start(dataDir))
      assert.strictEqual(error._tag, "DataFolderInUse")
      assert.include(error.message, dataDir)
      yield* assertKept(url)
    }).pipe(Effect.scoped)
  )

  it.live("of two that start at once on a new folder one gets it", () =>
    Effect.gen(function* () {
      const dataDir = yield* folder
      const results = yield* Effect.all([Effect.result(start(dataDir)), Effect.result(start(dataDir))], {
        concurrency: "unbounded"
      })
      const refusals = results.flatMap((result) => (result._tag === "Failure" ? [result.failure._tag] : []))
      assert.deepStrictEqual(refusals, ["DataFolderInUse"])
    }).pipe(Effect.scoped)
  )

  it.live("comes back at the same address when it is killed under the service", () =>
    Effect.gen(function* () {
      const dataDir = yield* folder
      const url = yield* start(dataDir)
      yield* store(url)
      yield* killServer(dataDir)
      yield* eventually(assertKept(url))
    }).pipe(Effect.scoped)
  )

  it.live("takes its lock again when the session that holds it is terminated", () =>
    Effect.gen(function* () {
      const dataDir = yield* folder
      const url = yield* start(dataDir)
      const owners = "SELECT pid FROM pg_locks WHERE locktype = 'advisory'"
      const [before] = yield* query(url, owners)
      yield* query(url, `SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'`)
      yield* eventually(
        Effect.filterOrFail(query(url, owners), ([owner]) => owner !== undefined && owner.pid !== before?.pid)
      )
      const error = yield* Effect.flip(start(dataDir))
      assert.strictEqual(error._tag, "DataFolderInUse")
    }).pipe(Effect.scoped)
  )

  it.live("leaves the data of another major version alone", () =>
    Effect.gen(function* () {
      const dataDir = yield* folder
      yield* Effect.promise(async () => {
        await mkdir(join(dataDir, "postgres"))
        await writeFile(join(dataDir, "postgres", "PG_VERSION"), "12\n")
      })
      const error = yield* Effect.flip(start(dataDir))
      assert.strictEqual(error._tag, "DataFolderOfOtherVersion")
      assert.match(error.message, /PostgreSQL 12, .* PostgreSQL 18/)
      assert.deepStrictEqual(yield* Effect.promise(() => readdir(join(dataDir, "postgres"))), ["PG_VERSION"])
    }).pipe(Effect.scoped)
  )

  it.live("leaves files alone that are no database", () =>
    Effect.gen(function* () {
      const dataDir = yield* folder
      yield* Effect.promise(async () => {
        await mkdir(join(dataDir, "postgres"))
        await writeFile(join(dataDir, "postgres", "letter.txt"), "dear")
      })
      const error = yield* Effect.flip(start(dataDir))
      assert.strictEqual(error._tag, "DataFolderUnusable")
      assert.match(error.message, /no PostgreSQL data\. Nothing was changed/)
    }).pipe(Effect.scoped)
  )

  it.live("says so when the folder cannot be made", () =>
    Effect.gen(function* () {
      const file = join(yield* folder, "file")
      yield* Effect.promise(() => writeFile(file, ""))
      const error = yield* Effect.flip(start(join(file, "data")))
      assert.strictEqual(error._tag, "DataFolderUnusable")
      assert.include(error.message, "BYTEBOT_DATA_DIR")
    }).pipe(Effect.scoped)
  )
})

describe("a visitor of the private server", () => {
  const visit = (dataDir: string) =>
    EmbeddedPostgres.visit({ dataDir, database: "postgres" }).pipe(Effect.map(({ url }) => Redacted.value(url)))

  it.live("shares the server of a running service, which stays when the visitor has gone", () =>
    Effect.gen(function* () {
      const dataDir = yield* folder
      const { url } = yield* otherService(dataDir)
      yield* store(url)
      yield* Effect.scoped(Effect.map(visit(dataDir), (visited) => assert.strictEqual(visited, url)))
      yield* assertKept(url)
    }).pipe(Effect.scoped)
  )

  it.live("starts the server for as long as it needs it where no service runs", () =>
    Effect.gen(function* () {
      const dataDir = yield* folder
      yield* Effect.scoped(Effect.flatMap(start(dataDir), store))
      yield* Effect.scoped(Effect.flatMap(visit(dataDir), assertKept))
      assert.isFalse(existsSync(join(dataDir, "postgres", "postmaster.pid")))
    }).pipe(Effect.scoped)
  )

  it.live("creates no data", () =>
    Effect.gen(function* () {
      const dataDir = join(yield* folder, "absent")
      const error = yield* Effect.flip(visit(dataDir))
      assert.strictEqual(error._tag, "NoPrivateData")
      assert.isFalse(existsSync(dataDir))
    }).pipe(Effect.scoped)
  )
})
