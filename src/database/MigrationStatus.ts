import { type DateTime, Effect, Schema } from "effect"
import { SqlClient, SqlSchema } from "effect/sql"
import { readMigrations } from "./Migrations.ts"

/** Which of this version's migrations the database has; times are UTC. */
export interface MigrationStatus {
  readonly applied: ReadonlyArray<{ readonly name: string; readonly appliedAt: DateTime.Utc }>
  readonly pending: ReadonlyArray<string>
}

/** Looks, and changes nothing; oldest first. */
export const migrationStatus = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  const migrations = yield* readMigrations
  const [table] =
    yield* sql`SELECT 1 FROM pg_tables WHERE schemaname = current_schema() AND tablename = 'BytebotMigration'`
  const read = SqlSchema.findAll({
    Request: Schema.Void,
    Result: Schema.Struct({ name: Schema.String, appliedAt: Schema.DateTimeUtcFromDate }),
    execute: () => sql`SELECT "name", "appliedAt" FROM "BytebotMigration" ORDER BY "name"`
  })
  const applied = table === undefined ? [] : yield* Effect.catchTag(read(), "SchemaError", Effect.die)
  const isApplied = (name: string) => applied.some((one) => one.name === name)
  const status: MigrationStatus = {
    applied,
    pending: migrations.map(({ name }) => name).filter((name) => !isApplied(name))
  }
  return status
}).pipe(Effect.withSpan("MigrationStatus.read"))

/** What keeps the service from working with a database that is behind, and what to do about it. */
export const behind = (pending: ReadonlyArray<string>): string =>
  `The database waits for ${pending.length === 1 ? "a migration" : "migrations"}: ${pending.join(", ")}. Run "npx bytebot-agent migrate up".`
