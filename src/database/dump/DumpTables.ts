import { Effect, Schema } from "effect"
import { SqlClient, SqlSchema } from "effect/sql"
import { type Migration, readMigrations } from "../Migrations.ts"

const created = /^CREATE TABLE "(\w+)"/gm

/**
 * The tables whose rows move: those of the migrations, in their order, by which parents come before those that refer to them, and the ledgers. Events are among
 * them: their ids go on rising, and subscribers who come back find what they missed. All other tables stay: somebody else's, and those in
 * which replicas agree on who holds which desktop (`cluster_*`), which are about running processes and made anew by them.
 */
export const tablesOf = (migrations: ReadonlyArray<Migration>): ReadonlyArray<string> => [
  ...migrations
    .flatMap(({ script }) => [...script.matchAll(created)].map(([, name = ""]) => name))
    .filter((name) => !unmoved.includes(name)),
  ...ledgers
]

/** Triggers of "Task" fill the first two from its rows, wherever they come from; rows of the third live for a minute. */
export const unmoved: ReadonlyArray<string> = ["TaskCount", "TaskCountChange", "RateCounter"]

/** With this, the names of those triggers of "Task" begin. */
export const derivingTriggers = "Task_count"

/** Say which migrations a database has; in a new database they are the only ones with rows. */
export const ledgers: ReadonlyArray<string> = ["BytebotMigration", "_prisma_migrations"]

/** A table as it is in a database. */
export interface FoundTable {
  readonly name: string
  readonly columns: ReadonlyArray<{
    readonly name: string
    readonly type: string
    /** The sequence behind it, quoted as SQL needs it. */
    readonly sequence: string | null
  }>
}

const Column = Schema.Struct({
  table: Schema.String,
  name: Schema.String,
  type: Schema.String,
  sequence: Schema.NullOr(Schema.String)
})

/** Those of the tables that move which are there. */
export const findTables = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  const names = tablesOf(yield* readMigrations)
  const read = SqlSchema.findAll({
    Request: Schema.Void,
    Result: Column,
    execute: () => sql`
      SELECT c.relname::text AS "table", a.attname::text AS "name", format_type(a.atttypid, a.atttypmod) AS "type",
        pg_get_serial_sequence(quote_ident(c.relname), a.attname) AS "sequence"
      FROM pg_class c
      JOIN pg_namespace n ON n.oid = c.relnamespace
      JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
      WHERE n.nspname = current_schema() AND c.relkind IN ('r', 'p') AND ${sql.in("relname", names)}
      ORDER BY a.attnum`
  })
  const columns = yield* read()
  return names.flatMap((name): ReadonlyArray<FoundTable> => {
    const own = columns.filter(({ table }) => table === name)
    return own.length === 0 ? [] : [{ name, columns: own }]
  })
})

/** Names as SQL lists them. */
export const quotedList = (names: ReadonlyArray<string>): string => names.map((name) => `"${name}"`).join(", ")
