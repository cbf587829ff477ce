import { DateTime, Effect } from "effect"
import { SqlClient } from "effect/sql"
import { createLedger, readLedger } from "../Migrator.ts"
import { readMigrations } from "../Migrations.ts"
import { createPrismaLedger } from "../PrismaLedger.ts"
import { wordsOf } from "../SqlFailure.ts"
import { DumpFailed, type DumpFileUnusable, NothingToDump } from "./DumpErrors.ts"
import * as Format from "./DumpFormat.ts"
import { type FoundTable, findTables, quotedList } from "./DumpTables.ts"

/** Takes the next bytes of the dump. */
export type Write = (bytes: Uint8Array) => Effect.Effect<void, DumpFileUnusable>

/** How many rows a table has in the dump. */
export interface TableCount {
  readonly table: string
  readonly rows: number
}

/**
 * Writes the database of the SqlClient as it is at one moment, however long that takes and whatever services do meanwhile. No more than a
 * few megabytes are in memory at a time, whatever the size of tables and rows. `database` says for messages which one it is.
 */
export const writeDump = Effect.fn("WriteDump.write")(function* (database: string, write: Write) {
  const sql = yield* SqlClient.SqlClient
  const writeLines = (...lines: ReadonlyArray<string>) => write(Buffer.from(`${lines.join("\n")}\n`))
  return yield* Effect.gen(function* () {
    yield* sql`SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY`
    yield* sql`SET LOCAL statement_timeout = 0`
    yield* sql`SET LOCAL datestyle = 'ISO'`
    yield* sql`SET LOCAL extra_float_digits = 3`
    // Row-level security would leave rows out; this makes it an error.
    yield* sql`SET LOCAL row_security = off`
    const lines = yield* head(database)
    const tables = yield* findTables
    // A migration that rewrites a table meanwhile would make it look empty.
    yield* sql`LOCK TABLE ${sql.literal(quotedList(tables.map(({ name }) => name)))} IN ACCESS SHARE MODE`
    yield* writeLines(...lines)
    const counts: Array<TableCount> = []
    for (const { columns, name } of tables) {
      const names = columns.map((column) => column.name)
      yield* writeLines("", Format.tableLine({ table: name, columns: names }))
      const rows = yield* writeRows(name, names, write)
      yield* writeLines(Format.endOfRows, Format.countLine(rows))
      counts.push({ table: name, rows })
    }
    const sequences = yield* readSequences(tables)
    yield* writeLines("", ...sequences.map(Format.sequenceLine), "", Format.lastLine)
    return counts
  }).pipe(
    sql.withTransaction,
    Effect.catchTags({
      SqlError: (error) => Effect.fail(new DumpFailed({ database, cause: wordsOf(error) })),
      SchemaError: Effect.die
    })
  )
})

/** What comes before the rows: what is in the dump, and the statements that make the tables. */
const head = Effect.fnUntraced(function* (database: string) {
  const ledger = yield* readLedger
  if (ledger.size === 0) {
    return yield* new NothingToDump({
      database,
      problem:
        "it has no tables of this service. Start the service on it once (it adopts what the original left), or name another database"
    })
  }
  const migrations = yield* readMigrations
  const unknown = [...ledger.keys()].filter((name) => !migrations.some((migration) => migration.name === name))
  if (unknown.length > 0) {
    return yield* new NothingToDump({
      database,
      problem: `it was brought up to date by a newer version of this service (${unknown.join(", ")}). Dump it with that version`
    })
  }
  const applied = migrations.filter(({ name }) => ledger.has(name))
  const sql = yield* SqlClient.SqlClient
  const [row] = yield* sql<{ version: string }>`SELECT current_setting('server_version') AS version`
  return [
    Format.firstLine,
    `-- of ${DateTime.formatIso(yield* DateTime.now)}, from PostgreSQL ${row?.version}`,
    ...applied.map(Format.migrationLine),
    "-- To restore it: npm run db:restore FILE",
    "-- or, into an empty database: psql --single-transaction --set ON_ERROR_STOP=1 --file FILE postgresql://user:password@host:5432/name",
    "",
    "SET client_encoding = 'UTF8';",
    "SET timezone = 'UTC';",
    `${createLedger};`,
    `${createPrismaLedger};`,
    ...applied.map(({ script }) => script),
    "",
    Format.dataLine
  ]
})

/** Rows come in pieces of so many bytes, a screenshot's row in many; and so many pieces at a time. */
const [pieceBytes, pieces] = [65_536, 256]

const writeRows = Effect.fnUntraced(function* (table: string, columns: ReadonlyArray<string>, write: Write) {
  const sql = yield* SqlClient.SqlClient
  // OFFSET 0 keeps the planner from making each row's line anew for each of its pieces.
  yield* sql.unsafe(`
    DECLARE dumped NO SCROLL CURSOR FOR
    SELECT substr(line, start, ${pieceBytes}) AS piece
    FROM (SELECT convert_to(${Format.rowSql(columns)} || E'\\n', 'UTF8') AS line FROM "${table}" OFFSET 0) r,
      generate_series(1, octet_length(line), ${pieceBytes}) start`).unprepared
  let rows = 0
  for (;;) {
    const fetched = yield* sql.unsafe<{ piece: Uint8Array }>(`FETCH ${pieces} FROM dumped`).unprepared
    if (fetched.length === 0) break
    // Within a row, ends of lines are escaped.
    rows += fetched.filter(({ piece }) => piece.at(-1) === 10).length
    yield* write(Buffer.concat(fetched.map(({ piece }) => piece)))
  }
  yield* sql`CLOSE dumped`
  return rows
})

/** Sequences are not part of a snapshot: read after the rows, they are behind none of them. */
const readSequences = Effect.fnUntraced(function* (tables: ReadonlyArray<FoundTable>) {
  const sql = yield* SqlClient.SqlClient
  const owned = tables.flatMap(({ columns, name }) =>
    columns.flatMap((column) =>
      column.sequence === null ? [] : [{ table: name, column: column.name, sequence: column.sequence }]
    )
  )
  return yield* Effect.forEach(owned, ({ column, sequence, table }) =>
    Effect.gen(function* () {
      const [row] = yield* sql<{ value: string; called: boolean }>`
        SELECT last_value::text AS "value", is_called AS "called" FROM ${sql.literal(sequence)}`
      return { table, column, value: row?.value ?? "1", called: row?.called ?? false }
    })
  )
})
