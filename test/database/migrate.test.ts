import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { readMigrations } from "../../src/database/Migrations.ts"
import { runProgram } from "../support/Command.ts"
import * as TestDatabase from "../support/TestDatabase.ts"
import { buildState } from "./original.ts"

/** `bytebot-agent migrate status` and `migrate up`, as the processes that they are. */

const migrate = (url: string, ...args: ReadonlyArray<string>) =>
  runProgram("cli/main", ["migrate", ...args], { DATABASE_URL: url })

const decodeStatus = Schema.decodeUnknownSync(
  Schema.fromJsonString(
    Schema.Struct({
      applied: Schema.Array(Schema.Struct({ name: Schema.String, appliedAt: Schema.DateTimeUtcFromString })),
      pending: Schema.Array(Schema.String),
      adopts: Schema.NullOr(Schema.String)
    })
  )
)
const names = Effect.map(readMigrations, (all) => all.map(({ name }) => name))

describe("bytebot-agent migrate", () => {
  it.live("shows what an empty database lacks without touching it, and applies it", () =>
    Effect.gen(function* () {
      const url = yield* TestDatabase.empty
      const before = yield* migrate(url, "status")
      assert.strictEqual(before.code, 1)
      for (const name of yield* names) assert.include(before.stdout, `pending  ${name}`)
      assert.include(before.stderr, "bytebot-agent migrate up")
      const again = decodeStatus((yield* migrate(url, "status", "--json")).stdout)
      assert.deepStrictEqual([again.applied, again.pending, again.adopts], [[], yield* names, null])

      const applied = yield* migrate(url, "up")
      assert.strictEqual(applied.code, 0, applied.stderr)
      for (const name of yield* names) assert.include(applied.stdout, `Applied ${name}`)
      const after = yield* migrate(url, "status", "--json")
      assert.strictEqual(after.code, 0)
      const { pending, applied: now } = decodeStatus(after.stdout)
      assert.deepStrictEqual([now.map(({ name }) => name), pending], [yield* names, []])
      assert.strictEqual(
        (yield* migrate(url, "up", "--json")).stdout,
        `${JSON.stringify({ applied: [], adopted: null })}\n`
      )
    }).pipe(Effect.scoped)
  )

  it.live("names the state of the original's database that it would adopt", () =>
    Effect.gen(function* () {
      const url = yield* TestDatabase.empty
      yield* Effect.provide(buildState(8), TestDatabase.clientLayer(url))
      const { adopts, pending } = decodeStatus((yield* migrate(url, "status", "--json")).stdout)
      assert.strictEqual(adopts, "20250622195148_add_user_to_task")
      assert.deepStrictEqual(pending, yield* names)
      const { stdout } = yield* migrate(url, "up")
      assert.include(stdout, "Adopted the original's database, last changed by its 20250622195148_add_user_to_task")
      assert.strictEqual((yield* migrate(url, "status")).code, 0)
    }).pipe(Effect.scoped)
  )

  it.live("says what is wrong when it can't", () =>
    Effect.gen(function* () {
      const absent = yield* migrate(TestDatabase.urlOf("bytebot_no_such_database"), "status")
      assert.strictEqual(absent.code, 1)
      assert.include(absent.stderr, "bytebot_no_such_database")
      const usage = yield* migrate(TestDatabase.urlOf("postgres"), "down")
      assert.strictEqual(usage.code, 2)
      assert.strictEqual(
        usage.stderr,
        'Unknown subcommand "down" for "bytebot-agent migrate". See: bytebot-agent migrate --help\n'
      )
    })
  )

  it.live("works on the private server, too", () =>
    Effect.gen(function* () {
      const folder = yield* Effect.acquireRelease(
        Effect.promise(() => mkdtemp(join(tmpdir(), "bytebot-test-"))),
        (path) => Effect.promise(() => rm(path, { recursive: true, force: true }))
      )
      const run = (command: string) => runProgram("cli/main", ["migrate", command], { BYTEBOT_DATA_DIR: folder })
      const before = yield* run("status")
      assert.strictEqual(before.code, 1)
      assert.include(before.stderr, "There is no private database")
      assert.strictEqual((yield* run("up")).code, 0)
      const after = yield* run("status")
      assert.deepStrictEqual([after.code, after.stdout.includes("is up to date")], [0, true])
    }).pipe(Effect.scoped)
  )
})
