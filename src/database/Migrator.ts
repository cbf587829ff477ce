import { DateTime, Effect, Schema } from "effect"
import { SqlClient, SqlSchema } from "effect/sql"
import { MigrationEdited, type MigrationError, MigratorStopped } from "./MigrationErrors.ts"
import { type Migration, readMigrations, runScript } from "./Migrations.ts"
import { wordsOf } from "./SqlFailure.ts"

/** What a run did. */
export interface MigrationRun {
  /** Names of the migrations that it applied, oldest first; empty: there was nothing to do. */
  readonly applied: ReadonlyArray<string>
}

/** The key of the advisory lock; any number will do, as long as every version takes the same. */
const migrationLock = 7_482_930_151n

const Entry = Schema.Struct({ name: Schema.String, checksum: Schema.String })

/**
 * Brings the schema up to date, in one transaction: after a failure the database is as it was before. Processes that start at once
 * wait for the first of them and then find nothing to do. Existing rows stay (contract/database.md, "What our migrator must do").
 */
export const migrate: Effect.Effect<MigrationRun, MigrationError, SqlClient.SqlClient> = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  const migrations = yield* readMigrations
  return yield* Effect.gen(function* () {
    yield* sql`SET LOCAL statement_timeout = 0`
    yield* lock
    const ledger = yield* readLedger
    for (const { checksum, name } of migrations) {
      const applied = ledger.get(name)
      if (applied !== undefined && applied !== checksum) {
        return yield* new MigrationEdited({ migration: name, applied, found: checksum })
      }
    }
    const pending = migrations.filter(({ name }) => !ledger.has(name))
    for (const migration of pending) {
      yield* runScript(migration)
      yield* record(migration)
    }
    return { applied: pending.map(({ name }) => name) }
  }).pipe(sql.withTransaction)
}).pipe(
  Effect.catchTags({
    SqlError: (error) => Effect.fail(new MigratorStopped({ cause: wordsOf(error) })),
    SchemaError: Effect.die
  }),
  Effect.withSpan("Migrator.migrate")
)

const lock = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  const [free] = yield* sql<{ locked: boolean }>`SELECT pg_try_advisory_xact_lock(${migrationLock}) AS locked`
  if (free?.locked === true) return
  yield* Effect.logInfo("Another process is bringing the database's schema up to date; waiting for it")
  yield* sql`SELECT pg_advisory_xact_lock(${migrationLock})`
})

const readLedger = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  yield* sql`CREATE TABLE IF NOT EXISTS "BytebotMigration" ("name" TEXT PRIMARY KEY, "checksum" TEXT NOT NULL, "appliedAt" TIMESTAMP(3) NOT NULL)`
  const read = SqlSchema.findAll({
    Request: Schema.Void,
    Result: Entry,
    execute: () => sql`SELECT "name", "checksum" FROM "BytebotMigration"`
  })
  return new Map((yield* read()).map(({ checksum, name }) => [name, checksum]))
})

const record = Effect.fnUntraced(function* ({ checksum, name }: Migration) {
  const sql = yield* SqlClient.SqlClient
  const appliedAt = DateTime.toDateUtc(yield* DateTime.now)
  yield* sql`INSERT INTO "BytebotMigration" ${sql.insert({ name, checksum, appliedAt })}`
})
