import { createHash } from "node:crypto"
import { NodeServices } from "@effect/platform-node"
import { Effect, FileSystem, Path, Redacted, Schema } from "effect"
import { Client } from "pg"

/** A migration could not be applied, or does not fit what the database says of it; nothing was changed by it. */
export class MigrationFailed extends Schema.TaggedError<MigrationFailed>()("MigrationFailed", {
  migration: Schema.String,
  reason: Schema.String
}) {
  override get message(): string {
    return `Migration ${this.migration} failed: ${this.reason}`
  }
}

interface Migration {
  readonly name: string
  readonly sql: string
  readonly checksum: string
}

/** Any number will do, as long as every version of the service takes the same. */
const advisoryLock = 7_482_930_151

const fileName = /^\d{14}_[a-z0-9_]+\.sql$/

/** Our migrations, oldest first. */
const readMigrations = Effect.gen(function* () {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const folder = yield* path.fromFileUrl(new URL("../../migrations/", import.meta.url))
  const names = (yield* fs.readDirectory(folder)).filter((name) => fileName.test(name)).sort()
  return yield* Effect.forEach(names, (name) =>
    Effect.map(
      fs.readFileString(path.join(folder, name)),
      (sql): Migration => ({ name: name.slice(0, -4), sql, checksum: createHash("sha256").update(sql).digest("hex") })
    )
  )
}).pipe(Effect.provide(NodeServices.layer), Effect.orDie)

/**
 * Applies the pending files of `migrations/`, each in a transaction of its own; who comes second waits and finds nothing
 * to do. Answers the names of what it applied. Scripts of several statements go by the simple protocol of `pg`.
 */
export const migrate = Effect.fn("Migrator.migrate")(function* (url: Redacted.Redacted) {
  const migrations = yield* readMigrations
  return yield* Effect.scoped(
    Effect.gen(function* () {
      const client = yield* connect(url)
      const run = (migration: string, sql: string, values?: Array<string>) =>
        Effect.tryPromise({
          try: () => client.query(sql, values),
          catch: (cause) =>
            new MigrationFailed({ migration, reason: cause instanceof Error ? cause.message : String(cause) })
        })
      yield* run("lock", `SELECT pg_advisory_lock(${advisoryLock})`)
      yield* run(
        "ledger",
        `CREATE TABLE IF NOT EXISTS "BytebotMigration" ("name" TEXT PRIMARY KEY, "checksum" TEXT NOT NULL, "appliedAt" TIMESTAMP(3) NOT NULL)`
      )
      const { rows } = yield* run("ledger", `SELECT "name", "checksum" FROM "BytebotMigration"`)
      const ledger = new Map((yield* decodeLedger(rows)).map((row) => [row.name, row.checksum]))
      const applied: Array<string> = []
      for (const { checksum, name, sql } of migrations) {
        const known = ledger.get(name)
        if (known === checksum) continue
        if (known !== undefined) {
          return yield* new MigrationFailed({
            migration: name,
            reason: "the file was changed after it had been applied"
          })
        }
        yield* Effect.gen(function* () {
          yield* run(name, "BEGIN")
          yield* run(name, sql)
          yield* run(
            name,
            `INSERT INTO "BytebotMigration" ("name", "checksum", "appliedAt") VALUES ($1, $2, now() AT TIME ZONE 'UTC')`,
            [name, checksum]
          )
          yield* run(name, "COMMIT")
        }).pipe(Effect.tapError(() => Effect.ignore(run(name, "ROLLBACK"))))
        applied.push(name)
      }
      return applied
    })
  )
})

const connect = (url: Redacted.Redacted) =>
  Effect.acquireRelease(
    Effect.tryPromise({
      try: async () => {
        const client = new Client({ connectionString: Redacted.value(url), application_name: "bytebot-agent" })
        await client.connect()
        return client
      },
      catch: (cause) =>
        new MigrationFailed({ migration: "connection", reason: cause instanceof Error ? cause.message : String(cause) })
    }),
    (client) => Effect.promise(() => client.end())
  )

const decodeLedgerRows = Schema.decodeUnknownEffect(
  Schema.Array(Schema.Struct({ name: Schema.String, checksum: Schema.String }))
)
const decodeLedger = (rows: unknown) => Effect.orDie(decodeLedgerRows(rows))
