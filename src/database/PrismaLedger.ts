import { Effect, Schema } from "effect"
import { SqlClient } from "effect/sql"
import { originalHistory } from "./OriginalHistory.ts"

const decodeEntries = Schema.decodeUnknownEffect(
  Schema.Array(Schema.Struct({ name: Schema.String, finished: Schema.Boolean, rolledBack: Schema.Boolean }))
)

const names = originalHistory.map(({ migration }) => migration)

/** Whether the schema has the table. */
export const hasTable = Effect.fnUntraced(function* (name: string) {
  const sql = yield* SqlClient.SqlClient
  return (yield* sql`SELECT 1 FROM pg_tables WHERE schemaname = current_schema() AND tablename = ${name}`).length > 0
})

/**
 * The names in `_prisma_migrations`: `finished` ones, and `failed` ones that began and neither finished nor were rolled back; Prisma refuses
 * to go on with these. A database without the table has none.
 */
export const readPrismaLedger = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  const rows = (yield* hasTable("_prisma_migrations"))
    ? yield* sql`
        SELECT "migration_name" AS "name", "finished_at" IS NOT NULL AS "finished", "rolled_back_at" IS NOT NULL AS "rolledBack" FROM "_prisma_migrations"`
    : []
  const entries = (yield* decodeEntries(rows)).filter(({ rolledBack }) => !rolledBack)
  const select = (isFinished: boolean) =>
    new Set(entries.flatMap(({ finished, name }) => (finished === isFinished ? [name] : [])))
  return { finished: select(true), failed: select(false) }
})

/**
 * Makes the ledger say that all of the original's migrations are finished, so that the original finds nothing to do here. Entries that failed
 * are marked as rolled back and followed by a finished one, as `prisma migrate resolve --applied` does. The checksum is
 * 64 zeros, as we do not have the file; `prisma migrate deploy` goes by names and does not compare it.
 */
export const completePrismaLedger = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  const { failed, finished } = yield* readPrismaLedger
  const open = names.filter((name) => failed.has(name))
  const missing = names.filter((name) => !finished.has(name))
  if (open.length === 0 && missing.length === 0) return
  yield* sql`CREATE TABLE IF NOT EXISTS "_prisma_migrations" (
    "id" VARCHAR(36) NOT NULL PRIMARY KEY, "checksum" VARCHAR(64) NOT NULL, "finished_at" TIMESTAMPTZ,
    "migration_name" VARCHAR(255) NOT NULL, "logs" TEXT, "rolled_back_at" TIMESTAMPTZ,
    "started_at" TIMESTAMPTZ NOT NULL DEFAULT now(), "applied_steps_count" INTEGER NOT NULL DEFAULT 0
  )`
  if (open.length > 0) {
    yield* sql`
      UPDATE "_prisma_migrations" SET "rolled_back_at" = now()
      WHERE "finished_at" IS NULL AND "rolled_back_at" IS NULL AND ${sql.in("migration_name", open)}`
  }
  for (const name of missing) {
    yield* sql`
      INSERT INTO "_prisma_migrations" ("id", "checksum", "migration_name", "started_at", "finished_at", "applied_steps_count")
      VALUES (gen_random_uuid()::text, ${"0".repeat(64)}, ${name}, clock_timestamp(), clock_timestamp(), 1)`
  }
})
