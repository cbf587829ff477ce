import { execFileSync, spawn } from "node:child_process"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { SqlClient } from "effect/sql"
import { contentOf, fillDatabase } from "../database/dumpRows.ts"
import { runProgram } from "../support/Command.ts"
import { environment, fileOf } from "../support/Programs.ts"
import { admin, clientLayer, dropAtEnd, migrated, uniqueName, urlOf } from "../support/TestDatabase.ts"
import { startService } from "../support/TestService.ts"
import { until } from "../support/Waiting.ts"

const temporaryFolder = Effect.acquireRelease(
  Effect.promise(() => mkdtemp(join(tmpdir(), "bytebot-db-"))),
  (path) => Effect.promise(() => rm(path, { recursive: true, force: true }))
)

const db = (command: string, variables: Readonly<Record<string, string>>) =>
  runProgram("cli/main", ["db", command], variables)

/** `db serve` on a data folder: its address as it is printed, and its end by SIGINT, with the exit code. */
const serveDatabase = Effect.fnUntraced(function* (folder: string) {
  const child = yield* Effect.acquireRelease(
    Effect.sync(() =>
      spawn(process.execPath, [fileOf("cli/main"), "db", "serve"], {
        cwd: "/",
        env: { ...environment(), BYTEBOT_DATA_DIR: folder },
        stdio: ["ignore", "pipe", "ignore"]
      })
    ),
    (process) => Effect.sync(() => process.kill("SIGKILL"))
  )
  let output = ""
  child.stdout.setEncoding("utf8").on("data", (text) => {
    output += text
  })
  const url = yield* until(
    "the server's address is printed",
    Effect.sync(() => /^postgresql:.*$/m.exec(output)?.[0]),
    "60 seconds"
  )
  const stop = Effect.callback<number | null>((resume) => {
    child.once("exit", (code) => resume(Effect.succeed(code)))
    child.kill("SIGINT")
  })
  return { url, stop }
})

/** Major version of PostgreSQL's programs on this machine; 0: there are none. */
const toolsVersion = (): number => {
  try {
    return Number(/\d+/.exec(execFileSync("pg_dump", ["--version"], { encoding: "utf8" }))?.[0])
  } catch {
    return 0
  }
}

const serverVersion = (url: string) =>
  Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    const [row] = yield* sql<{ version: string }>`SELECT current_setting('server_version_num') AS "version"`
    return Math.floor(Number(row?.version) / 10_000)
  }).pipe(Effect.provide(clientLayer(url)))

describe("bytebot-agent db", () => {
  it.live("prints the address of the private server while the service runs, and ends with 1 when nothing runs it", () =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      const none = yield* db("url", { BYTEBOT_DATA_DIR: folder })
      assert.strictEqual(none.code, 1)
      assert.include(none.stderr, "There is no private database")
      yield* Effect.scoped(
        Effect.gen(function* () {
          yield* startService({ BYTEBOT_DATA_DIR: folder })
          const { code, stdout } = yield* db("url", { BYTEBOT_DATA_DIR: folder })
          assert.strictEqual(code, 0)
          assert.isAtLeast(yield* serverVersion(stdout.trim()), 18)
        })
      )
      const stopped = yield* db("url", { BYTEBOT_DATA_DIR: folder })
      assert.deepStrictEqual([stopped.code, stopped.stdout], [1, ""])
      assert.match(stopped.stderr, /does not run\. .*run "bytebot-agent db serve" in another terminal/)
    }).pipe(Effect.scoped)
  )

  it.live("serves a new private database until Ctrl-C, and then the service starts on it", () =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      const { stop, url } = yield* serveDatabase(folder)
      assert.isAtLeast(yield* serverVersion(url), 18)
      assert.strictEqual((yield* db("url", { BYTEBOT_DATA_DIR: folder })).stdout.trim(), url)
      assert.strictEqual(yield* stop, 0)
      yield* startService({ BYTEBOT_DATA_DIR: folder })
    }).pipe(Effect.scoped)
  )

  it.live("prints DATABASE_URL with the parameters that libpq knows, and refuses to serve it", () =>
    Effect.gen(function* () {
      const cases = [
        ["postgresql://u:p%40@h:1/d?schema=mine", "postgresql://u:p%40@h:1/d"],
        ["postgresql://u@h/d?sslmode=no-verify", "postgresql://u@h/d?sslmode=require"],
        ["postgresql://u@h/d?sslmode=require", "postgresql://u@h/d?sslmode=verify-full&sslrootcert=system"]
      ] as const
      for (const [DATABASE_URL, expected] of cases) {
        assert.strictEqual((yield* db("url", { DATABASE_URL })).stdout, `${expected}\n`)
      }
      const refused = yield* db("serve", { DATABASE_URL: cases[0][0] })
      assert.strictEqual(refused.code, 1)
      assert.include(refused.stderr, "DATABASE_URL names a PostgreSQL server")
      const wrong = yield* db("url", { DATABASE_URL: "postgresql//secret" })
      assert.strictEqual(wrong.code, 1)
      assert.notInclude(wrong.stderr, "secret")
    })
  )

  // pg_dump refuses servers that are newer than itself. The private server is 18; a server of one's own may be older.
  it.live("lets pg_dump and pg_restore move all data into another database, as docs/operations.md has it", () =>
    Effect.gen(function* () {
      const url = yield* migrated
      const name = uniqueName()
      yield* dropAtEnd(name)
      yield* Effect.flatMap(admin, (sql) => sql`CREATE DATABASE ${sql(name)}`).pipe(Effect.scoped)
      yield* Effect.provide(fillDatabase(1_000_000), clientLayer(url))
      const before = yield* Effect.provide(contentOf, clientLayer(url))
      const address = (yield* db("url", { DATABASE_URL: url })).stdout.trim()
      assert.strictEqual(address, url)
      const file = join(yield* temporaryFolder, "bytebot.dump")
      const dump = ["--format=custom", "--no-owner", "--exclude-table=cluster_*", `--file=${file}`, address]
      if (toolsVersion() < (yield* serverVersion(url))) {
        assert.throws(() => execFileSync("pg_dump", dump, { stdio: "pipe" }), /server version mismatch|ENOENT/)
        return
      }
      execFileSync("pg_dump", dump)
      execFileSync("pg_restore", ["--no-owner", "--single-transaction", `--dbname=${urlOf(name)}`, file])
      assert.deepStrictEqual(yield* Effect.provide(contentOf, clientLayer(urlOf(name))), before)
      const { code, stdout } = yield* runProgram("cli/main", ["migrate", "status"], { DATABASE_URL: urlOf(name) })
      assert.strictEqual(code, 0, stdout)
    }).pipe(Effect.scoped)
  )
})
