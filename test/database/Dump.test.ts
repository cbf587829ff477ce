import { spawnSync } from "node:child_process"
import { existsSync, statSync } from "node:fs"
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Redacted } from "effect"
import { SqlClient } from "effect/sql"
import * as EmbeddedPostgres from "../../src/database/EmbeddedPostgres.ts"
import { unmoved } from "../../src/database/dump/DumpTables.ts"
import { readMigrations } from "../../src/database/Migrations.ts"
import { migrateBy } from "../../src/database/Migrator.ts"
import { type Ended, runProgram } from "../support/Command.ts"
import { request } from "../support/RestClient.ts"
import { clientLayer, dropAtEnd, empty, migrated, uniqueName, urlOf } from "../support/TestDatabase.ts"
import { startService } from "../support/TestService.ts"
import { rowsOfAll, schemaOf } from "./catalog.ts"
import { contentOf, fillDatabase } from "./dumpRows.ts"
import { buildState, run } from "./original.ts"

const temporaryFolder = Effect.acquireRelease(
  Effect.promise(() => mkdtemp(join(tmpdir(), "bytebot-dump-"))),
  (path) => Effect.promise(() => rm(path, { recursive: true, force: true }))
)

type Variables = Readonly<Record<string, string>>

const dump = (file: string, variables: Variables) => runProgram("commands/dumpDatabase", [file], variables)
const restore = (file: string, variables: Variables, ...flags: ReadonlyArray<string>) =>
  runProgram("commands/restoreDatabase", [file, ...flags], variables)

const succeeds = Effect.map(({ code, stderr, stdout }: Ended) => {
  assert.strictEqual(code, 0, stderr)
  return stdout
})

/** The command's message; it must have ended with 1 and said nothing else. */
const refuses = Effect.map(({ code, stderr, stdout }: Ended) => {
  assert.strictEqual(code, 1, stderr)
  assert.strictEqual(stdout, "")
  assert.notMatch(stderr, /\n {2,}at /)
  return stderr
})

/** URL of a database that does not exist. */
const newDatabase = Effect.gen(function* () {
  const name = uniqueName()
  yield* dropAtEnd(name)
  return urlOf(name)
})

const on = <A, E>(url: string, effect: Effect.Effect<A, E, SqlClient.SqlClient>) =>
  Effect.provide(effect, clientLayer(url))

/** A database with rows, and the dump of it. */
const dumped = Effect.gen(function* () {
  const url = yield* migrated
  yield* on(url, fillDatabase(1_000))
  const file = join(yield* temporaryFolder, "dump.sql")
  yield* succeeds(dump(file, { DATABASE_URL: url }))
  return { url, file }
})

const large = 30_000_000

describe("db:dump and db:restore", () => {
  it.live(
    "move everything from the private server to one of one's own, and back",
    () =>
      Effect.gen(function* () {
        const folder = yield* temporaryFolder
        const [here, there] = [join(folder, "here"), join(folder, "there")]
        const [first, second] = [join(folder, "first.sql"), join(folder, "second.sql")]
        const before = yield* Effect.scoped(
          Effect.gen(function* () {
            const { sql } = yield* startService({ BYTEBOT_DATA_DIR: here })
            yield* Effect.provideService(fillDatabase(large), SqlClient.SqlClient, sql)
            assert.match(yield* succeeds(dump(first, { BYTEBOT_DATA_DIR: here })), /\n {2}Message +5000\n/)
            return yield* Effect.provideService(contentOf, SqlClient.SqlClient, sql)
          })
        )
        assert.strictEqual(statSync(first).mode & 0o777, 0o600)
        assert.notMatch(yield* Effect.promise(() => readFile(first, "utf8")), /^COPY "cluster/m)

        const DATABASE_URL = yield* newDatabase
        assert.match(yield* succeeds(restore(first, { DATABASE_URL })), /\n {2}Message +5000\n/)
        assert.deepStrictEqual(yield* on(DATABASE_URL, contentOf), before)
        const fresh = yield* migrated
        assert.deepStrictEqual(yield* on(DATABASE_URL, schemaOf()), yield* on(fresh, schemaOf()))

        yield* succeeds(dump(second, { DATABASE_URL }))
        yield* succeeds(restore(second, { BYTEBOT_DATA_DIR: there }))
        const { url } = yield* startService({ BYTEBOT_DATA_DIR: there })
        assert.deepInclude((yield* request(url, "GET", "/tasks/task-5")).json, { description: "tab\there" })
        const kept = yield* EmbeddedPostgres.visit({ dataDir: there, database: "bytebot" })
        assert.deepStrictEqual(yield* on(Redacted.value(kept.url), contentOf), before)
      }).pipe(Effect.scoped),
    120_000
  )

  it.live("move all tables that there are", () =>
    Effect.gen(function* () {
      const { file, url } = yield* dumped
      const script = yield* Effect.promise(() => readFile(file, "utf8"))
      const tables = [...script.matchAll(/^COPY "(\w+)"/gm)].map(([, table]) => table)
      const there = yield* on(url, rowsOfAll)
      const moved = Object.keys(there).filter((table) => !unmoved.includes(table))
      assert.deepStrictEqual(tables.sort(), moved.sort())
      for (const table of moved) assert.isNotEmpty(there[table], `${table} is not tested`)
    }).pipe(Effect.scoped)
  )

  it.live("a dump is of one moment, whatever happens meanwhile", () =>
    Effect.gen(function* () {
      const url = yield* migrated
      const file = join(yield* temporaryFolder, "dump.sql")
      const pair = Effect.gen(function* () {
        const sql = yield* SqlClient.SqlClient
        yield* sql`
          WITH t AS (INSERT INTO "Task" ("id", "description", "model", "updatedAt") VALUES (gen_random_uuid()::text, 'd', '{}', now()) RETURNING "id")
          INSERT INTO "Message" ("id", "content", "updatedAt", "taskId") SELECT "id", '[]', now(), "id" FROM t`
      })
      const busy = yield* Effect.forkScoped(on(url, Effect.forever(pair)))
      yield* succeeds(dump(file, { DATABASE_URL: url }))
      yield* Fiber.interrupt(busy)
      const DATABASE_URL = yield* newDatabase
      const counts = yield* succeeds(restore(file, { DATABASE_URL }))
      const [tasks, messages] = ["Task", "Message"].map((table) => new RegExp(`  ${table} +(\\d+)`).exec(counts)?.[1])
      assert.match(tasks ?? "", /^[1-9]/)
      assert.strictEqual(messages, tasks)
    }).pipe(Effect.scoped)
  )

  const hasPsql = spawnSync("psql", ["--version"]).status === 0

  it.live.skipIf(!hasPsql)("psql restores a dump too", () =>
    Effect.gen(function* () {
      const { file, url } = yield* dumped
      const target = yield* empty
      const args = ["--quiet", "--single-transaction", "--set=ON_ERROR_STOP=1", `--file=${file}`, target]
      const { status, stderr } = spawnSync("psql", args, { encoding: "utf8" })
      assert.strictEqual(status, 0, stderr)
      assert.deepStrictEqual(yield* on(target, contentOf), yield* on(url, contentOf))
    }).pipe(Effect.scoped)
  )

  it.live("a dump from before a migration is brought up to date", () =>
    Effect.gen(function* () {
      const [schema, service] = yield* readMigrations
      assert.isDefined(schema)
      assert.isDefined(service)
      const old = yield* empty
      yield* on(old, migrateBy([schema, service]))
      yield* on(
        old,
        run([`INSERT INTO "Task" ("id", "description", "model", "updatedAt") VALUES ('t', 'd', '{}', now())`])
      )
      const file = join(yield* temporaryFolder, "dump.sql")
      yield* succeeds(dump(file, { DATABASE_URL: old }))
      const DATABASE_URL = yield* newDatabase
      yield* succeeds(restore(file, { DATABASE_URL }))
      assert.deepStrictEqual(yield* on(DATABASE_URL, schemaOf()), yield* on(yield* migrated, schemaOf()))
      assert.strictEqual((yield* on(DATABASE_URL, contentOf)).tables.counts, "1")

      const newer = yield* migrated
      assert.match(
        yield* refuses(restore(file, { DATABASE_URL: newer })),
        /are newer than the dump, which is from before \w+/
      )
      assert.isEmpty((yield* on(newer, rowsOfAll)).Task)
    }).pipe(Effect.scoped)
  )

  it.live("rows that are there are replaced only when told so", () =>
    Effect.gen(function* () {
      const { file, url } = yield* dumped
      const DATABASE_URL = yield* migrated
      yield* on(DATABASE_URL, fillDatabase(10))
      yield* on(DATABASE_URL, run([`UPDATE "Task" SET "description" = 'precious'`]))
      const before = yield* on(DATABASE_URL, contentOf)
      assert.match(
        yield* refuses(restore(file, { DATABASE_URL })),
        /already has rows in User, .*Task, .*restore -- --replace/
      )
      assert.deepStrictEqual(yield* on(DATABASE_URL, contentOf), before)
      yield* succeeds(restore(file, { DATABASE_URL }, "--replace"))
      assert.deepStrictEqual(yield* on(DATABASE_URL, contentOf), yield* on(url, contentOf))
    }).pipe(Effect.scoped)
  )

  it.live("the original's rows are rows", () =>
    Effect.gen(function* () {
      const { file } = yield* dumped
      const DATABASE_URL = yield* empty
      yield* on(DATABASE_URL, buildState(9))
      const before = [yield* on(DATABASE_URL, rowsOfAll), yield* on(DATABASE_URL, schemaOf())]
      assert.match(yield* refuses(restore(file, { DATABASE_URL })), /already has rows in .*Task/)
      assert.deepStrictEqual([yield* on(DATABASE_URL, rowsOfAll), yield* on(DATABASE_URL, schemaOf())], before)
    }).pipe(Effect.scoped)
  )

  const damages: ReadonlyArray<readonly [string, (script: string) => string, RegExp]> = [
    ["cut within a row", (script) => script.slice(0, script.indexOf("message-4000")), /ends too early/],
    ["cut before its last line", (script) => script.slice(0, script.indexOf("-- end of dump")), /ends too early/],
    [
      "without a row",
      (script) => script.replace(/^message-7\t.*\n/m, ""),
      /"Message" had 5000 rows .* and here are 4999/
    ],
    [
      "with a value too few",
      (script) => script.replace(/^(message-7\t.*)\t[^\t\n]*$/m, "$1"),
      /not a row of "Message"/
    ],
    [
      "with a wrong value",
      (script) => script.replace(/^(message-7\t.*)\tUSER\t/m, "$1\tNOBODY\t"),
      /invalid input value for enum "Role": "NOBODY"/
    ],
    [
      "with a reference to nothing",
      (script) => script.replace(/^(message-7\t.*)\ttask-1\t/m, "$1\ttask-none\t"),
      /violates foreign key constraint "Message_taskId_fkey"/
    ],
    ["of a later format", (script) => script.replace("format 1", "format 2"), /has format 2, and this version reads 1/],
    [
      "with a migration of a later version",
      (script) => script.replace(/^(-- migration )\d+/m, "$129990101000000"),
      /29990101000000_schema, which this version does not know/
    ],
    [
      "with a migration that was another",
      (script) => script.replace(/^(-- migration \w+ )\w/m, "$1f"),
      /20261124000000_schema is not the one/
    ],
    ["that is something else", () => "SELECT 1;\n", /not a dump that db:dump has made \(line 1\)/]
  ]

  it.live(
    "a dump that is not whole is refused, and the database stays as it is",
    () =>
      Effect.gen(function* () {
        const { file } = yield* dumped
        const script = yield* Effect.promise(() => readFile(file, "utf8"))
        const DATABASE_URL = yield* migrated
        yield* on(DATABASE_URL, fillDatabase(10))
        const before = [yield* on(DATABASE_URL, contentOf), yield* on(DATABASE_URL, schemaOf())]
        for (const [title, damage, says] of damages) {
          const damaged = damage(script)
          assert.notStrictEqual(damaged, script, title)
          yield* Effect.promise(() => writeFile(file, damaged))
          assert.match(yield* refuses(restore(file, { DATABASE_URL }, "--replace")), says, title)
          assert.deepStrictEqual(
            [yield* on(DATABASE_URL, contentOf), yield* on(DATABASE_URL, schemaOf())],
            before,
            title
          )
        }
      }).pipe(Effect.scoped),
    120_000
  )

  it.live("no dump is restored under a running service", () =>
    Effect.gen(function* () {
      const { file } = yield* dumped
      const DATABASE_URL = yield* migrated
      yield* startService({ DATABASE_URL })
      assert.match(yield* refuses(restore(file, { DATABASE_URL })), /in use by a running service .* Stop it first/)

      const BYTEBOT_DATA_DIR = join(yield* temporaryFolder, "data")
      yield* startService({ BYTEBOT_DATA_DIR })
      assert.match(yield* refuses(restore(file, { BYTEBOT_DATA_DIR })), /in use by another running service/)
    }).pipe(Effect.scoped)
  )

  it.live("there must be something to dump, and a file to write", () =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      const file = join(folder, "dump.sql")
      const DATABASE_URL = yield* empty
      assert.match(yield* refuses(dump(file, { DATABASE_URL })), /has no tables of this service/)
      const absent = urlOf(uniqueName())
      assert.match(yield* refuses(dump(file, { DATABASE_URL: absent })), /database "\w+" does not exist/)
      const BYTEBOT_DATA_DIR = join(folder, "absent")
      assert.match(yield* refuses(dump(file, { BYTEBOT_DATA_DIR })), /no private database in .*absent/)
      assert.isFalse(existsSync(BYTEBOT_DATA_DIR))
      yield* Effect.promise(() => writeFile(file, "precious"))
      assert.match(yield* refuses(dump(file, { DATABASE_URL: yield* migrated })), /is there already/)
      assert.match(
        yield* refuses(dump(join(folder, "no", "dump.sql"), { DATABASE_URL })),
        /cannot be written: .*ENOENT/
      )
      assert.match(yield* refuses(restore(join(folder, "none.sql"), { DATABASE_URL })), /no such file/)
      assert.deepStrictEqual(yield* Effect.promise(() => readdir(folder)), ["dump.sql"])
    }).pipe(Effect.scoped)
  )

  it.live("wrong arguments are explained", () =>
    Effect.gen(function* () {
      assert.match(yield* refuses(runProgram("commands/restoreDatabase", [], {})), /Usage: npm run db:restore FILE/)
      assert.match(
        yield* refuses(runProgram("commands/restoreDatabase", ["a", "--what"], {})),
        /Unknown option '--what'/
      )
      assert.match(yield* refuses(runProgram("commands/dumpDatabase", ["a", "b"], {})), /Usage: npm run db:dump/)
    })
  )
})
