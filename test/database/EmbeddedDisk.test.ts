import { spawnSync } from "node:child_process"
import { chmodSync, mkdtempSync, readdirSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { PgClient } from "@effect/sql-pg"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as EmbeddedPostgres from "../../src/database/EmbeddedPostgres.ts"
import { runProgram } from "../support/Command.ts"
import { canMount, smallDisk } from "../support/SmallDisk.ts"

const isRoot = process.getuid?.() === 0
const hasSetpriv = spawnSync("setpriv", ["--version"]).status === 0

/** What the service says about a data folder that it cannot use; it must have ended with 1. */
const refusal = (dataDir: string, through: ReadonlyArray<string> = []) =>
  runProgram("main", [], { BYTEBOT_DATA_DIR: dataDir, HOST: "127.0.0.1", PORT: "0" }, through).pipe(
    Effect.map(({ code, stderr }) => {
      assert.strictEqual(code, 1, stderr)
      assert.match(stderr, /^The data folder .* cannot be used\. .*\n$/)
      assert.include(stderr, dataDir)
      return stderr
    })
  )

const query = (dataDir: string, statement: string) =>
  Effect.gen(function* () {
    const { url } = yield* EmbeddedPostgres.make({ dataDir, database: "postgres", settings: { fsync: "off" } })
    return yield* Effect.flatMap(PgClient.PgClient, (sql) => sql.unsafe<Record<string, unknown>>(statement)).pipe(
      Effect.provide(PgClient.layer({ url, maxConnections: 1 }))
    )
  }).pipe(Effect.scoped)

const store = (dataDir: string) => query(dataDir, "CREATE TABLE kept AS SELECT 42 AS answer")
const assertKept = (dataDir: string) =>
  Effect.map(query(dataDir, "SELECT answer FROM kept"), (rows) => assert.deepStrictEqual(rows, [{ answer: 42 }]))

const temporaryFolder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "bytebot-embedded-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
)

describe("the private server's disk", () => {
  it.live.skipIf(!canMount)("has no room for new data: nothing is left behind, and with room it works", () =>
    Effect.gen(function* () {
      const disk = yield* smallDisk("20m")
      assert.match(yield* refusal(disk.folder), /The disk is full\. Free some space and start again/)
      assert.deepStrictEqual(readdirSync(disk.folder), ["postgres.log"])
      yield* disk.remount("size=200m")
      yield* store(disk.folder)
    }).pipe(Effect.scoped)
  )

  it.live.skipIf(!canMount)("is full: the data are as they were once there is room", () =>
    Effect.gen(function* () {
      const disk = yield* smallDisk("200m")
      yield* store(disk.folder)
      yield* disk.fill
      assert.match(yield* refusal(disk.folder), /The disk is full\. Free some space and start again; no data is lost/)
      yield* disk.free
      yield* assertKept(disk.folder)
    }).pipe(Effect.scoped)
  )

  it.live.skipIf(process.platform !== "linux")(
    "lets no folder be created, as /proc does: the service ends at once",
    () =>
      Effect.map(refusal("/proc/bytebot-data"), (stderr) =>
        assert.match(stderr, /Its file system lets no folder be created there\. Choose another one\./)
      )
  )

  it.live.skipIf(!canMount)("is read-only: the data are as they were when it is not any more", () =>
    Effect.gen(function* () {
      const disk = yield* smallDisk("200m")
      yield* store(disk.folder)
      yield* disk.remount("ro")
      assert.match(yield* refusal(disk.folder), /The file system is read-only\. Choose a folder that can be written/)
      yield* disk.remount("rw")
      yield* assertKept(disk.folder)
    }).pipe(Effect.scoped)
  )

  it.live("has a folder in which this user may not write", () =>
    Effect.gen(function* () {
      const dataDir = yield* temporaryFolder
      chmodSync(dataDir, 0o555)
      // Root may write everywhere, unless that is taken from it.
      const asOthers = isRoot
        ? ["setpriv", "--inh-caps=-all", "--bounding-set=-dac_override,-dac_read_search", "--"]
        : []
      assert.match(yield* refusal(dataDir, asOthers), /may not read and write there\. Change the folder's owner/)
    }).pipe(Effect.scoped)
  )

  it.live.skipIf(!isRoot || !hasSetpriv)("belongs to a root that may not become another user", () =>
    Effect.gen(function* () {
      const dataDir = yield* temporaryFolder
      const bare = ["setpriv", "--inh-caps=-all", "--bounding-set=-setuid,-setgid,-chown", "--"]
      assert.match(
        yield* refusal(dataDir, bare),
        /does not run as root, and this process, .* leave it the capabilities/
      )
      assert.deepStrictEqual(readdirSync(dataDir), ["postgres.log"])
    }).pipe(Effect.scoped)
  )
})
