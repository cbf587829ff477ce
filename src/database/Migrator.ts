import { DateTime, Effect, Schema } from "effect"
import { SqlClient } from "effect/sql"
import { MigrationEdited, type MigrationError, MigratorStopped, SchemaNotRecognised } from "./MigrationErrors.ts"
import { type Migration, readAdoption, readMigrations, runScript } from "./Migrations.ts"
import { completePrismaLedger, hasTable } from "./PrismaLedger.ts"
import { recogniseSchema } from "./SchemaState.ts"
import { wordsOf } from "./SqlFailure.ts"

/** What a run did. */
interface MigrationRun {
  /** Names of the migrations that it applied, oldest first; empty: there was nothing to do. */
  readonly applied: ReadonlyArray<string>
  /** The original's state that was adopted, by the name of its last migration; null: the database was empty or ours already. */
  readonly adopted: string | null
}

/** The key of the advisory lock; every version takes the same. */
const migrationLock = 7_482_930_151n

/**
 * Brings the schema up to date, in one transaction: after a failure the database is as it was before. Processes that start at once
 * wait for the first of them and then find nothing to do. A database of the original is adopted at whatever state it is, every row kept,
 * and its ledger then tells the original that nothing is pending (docs/contract/database.md, "What our migrator must do at start").
 */
export const migrate: Effect.Effect<MigrationRun, MigrationError, SqlClient.SqlClient> = Effect.flatMap(
  readMigrations,
  (migrations) => migrateBy(migrations)
)

/** As `migrate`, by the given migrations, which are the oldest ones: brings a database to an earlier version. */
export const migrateBy = Effect.fn("Migrator.migrate")(
  function* (migrations: ReadonlyArray<Migration>) {
    const sql = yield* SqlClient.SqlClient
    return yield* Effect.gen(function* () {
      yield* sql`SET LOCAL statement_timeout = 0`
      yield* holdMigrations
      yield* ensureSchema
      const ledger = new Map((yield* readLedger).map(({ checksum, name }) => [name, checksum]))
      yield* checkLedger(migrations, ledger)
      const adopted = ledger.size === 0 ? yield* adopt(migrations) : null
      const pending = migrations.filter(({ name }, index) => !ledger.has(name) && !(adopted !== null && index === 0))
      for (const migration of pending) {
        yield* runScript(migration)
        yield* record(migration)
      }
      yield* completePrismaLedger
      return { applied: pending.map(({ name }) => name), adopted } satisfies MigrationRun
    }).pipe(sql.withTransaction)
  },
  Effect.catchTags({
    SqlError: (error) => Effect.fail(new MigratorStopped({ cause: wordsOf(error) })),
    SchemaError: Effect.die
  })
)

/** Excludes other migrators until the transaction ends. */
const holdMigrations = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  const [free] = yield* sql<{ locked: boolean }>`SELECT pg_try_advisory_xact_lock(${migrationLock}) AS locked`
  if (free?.locked === true) return
  yield* Effect.logInfo("Another process is bringing the database's schema up to date; waiting for it")
  yield* sql`SELECT pg_advisory_xact_lock(${migrationLock})`
})

/** Creates the schema that `?schema=` in the URL names, as Prisma does. */
const ensureSchema = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  const [row] = yield* sql<{ missing: string | null }>`
    SELECT CASE WHEN current_schema() IS NULL THEN trim('"' FROM split_part(current_setting('search_path'), ',', 1)) END AS "missing"`
  const missing = row?.missing ?? null
  if (missing === null) return
  if (missing === "$user") {
    return yield* new MigratorStopped({
      cause: "the database has no schema for the tables; create public, or name one by ?schema= in DATABASE_URL"
    })
  }
  yield* sql`CREATE SCHEMA ${sql(missing)}`
})

const decodeLedger = Schema.decodeUnknownEffect(
  Schema.Array(Schema.Struct({ name: Schema.String, checksum: Schema.String, appliedAt: Schema.DateTimeUtcFromDate }))
)

/** The migrations that the database has, oldest first; empty: it is not ours (yet). */
const readLedger = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  if (!(yield* hasTable("BytebotMigration"))) return []
  return yield* decodeLedger(yield* sql`SELECT "name", "checksum", "appliedAt" FROM "BytebotMigration" ORDER BY "name"`)
})

const checkLedger = Effect.fnUntraced(function* (
  migrations: ReadonlyArray<Migration>,
  ledger: ReadonlyMap<string, string>
) {
  for (const { checksum, name } of migrations) {
    const applied = ledger.get(name)
    if (applied !== undefined && applied !== checksum) {
      return yield* new MigrationEdited({ migration: name, applied, found: checksum })
    }
  }
  if (ledger.size > 0 && !(yield* hasTable("Task"))) {
    return yield* new SchemaNotRecognised({
      found: ['the ledger "BytebotMigration" says that the schema is there, but the table "Task" is missing']
    })
  }
})

/** Prepares a database that has no ledger of ours. The first migration is what adoption replaces. */
const adopt = Effect.fnUntraced(function* ([first]: ReadonlyArray<Migration>) {
  const sql = yield* SqlClient.SqlClient
  const state = yield* recogniseSchema
  yield* sql`CREATE TABLE "BytebotMigration" ("name" TEXT PRIMARY KEY, "checksum" TEXT NOT NULL, "appliedAt" TIMESTAMP(3) NOT NULL)`
  if (state === null || first === undefined) return null
  yield* Effect.logInfo(`Adopting the original's database, last changed by its ${state}`)
  yield* runScript(yield* readAdoption)
  yield* record(first)
  return state
})

const record = Effect.fnUntraced(function* ({ checksum, name }: Migration) {
  const sql = yield* SqlClient.SqlClient
  const appliedAt = DateTime.toDateUtc(yield* DateTime.now)
  yield* sql`INSERT INTO "BytebotMigration" ${sql.insert({ name, checksum, appliedAt })}`
})

/** Which of this version's migrations the database has; times are UTC. */
export type MigrationStatus = Effect.Success<typeof migrationStatus>

/** Reads which migrations are applied and which are pending, oldest first; changes nothing. */
export const migrationStatus = Effect.gen(function* () {
  const migrations = yield* readMigrations
  const applied = yield* Effect.catchTag(readLedger, "SchemaError", Effect.die)
  const names = new Set(applied.map(({ name }) => name))
  return { applied, pending: migrations.map(({ name }) => name).filter((name) => !names.has(name)) }
}).pipe(Effect.withSpan("Migrator.status"))

/** What keeps the service from working with a database that is behind, and what to do about it. */
export const behind = (pending: ReadonlyArray<string>): string =>
  `The database waits for ${pending.length === 1 ? "a migration" : "migrations"}: ${pending.join(", ")}. Run "npx bytebot-agent migrate up".`
