import { PgTypes } from "@effect/sql-pg"
import { Effect, Result, Schedule } from "effect"
import { SqlClient, type SqlError } from "effect/sql"
import { serviceName } from "../DatabaseConnection.ts"
import { type Migration, readMigrations } from "../Migrations.ts"
import { holdMigrations, migrate, migrateBy, readLedger } from "../Migrator.ts"
import { wordsOf } from "../SqlFailure.ts"
import {
  DatabaseInUse,
  DatabaseNewerThanDump,
  DatabaseNotEmpty,
  DumpOfOtherVersion,
  RestoreFailed
} from "./DumpErrors.ts"
import * as Format from "./DumpFormat.ts"
import { derivingTriggers, type FoundTable, findTables, ledgers, quotedList } from "./DumpTables.ts"
import { type LineReader, openLines } from "./LineReader.ts"
import type { TableCount } from "./WriteDump.ts"

/** A dump that this version can restore, read as far as its rows. */
export interface OpenDump {
  readonly file: string
  readonly lines: LineReader
  /** Those that the dumped database had, as this version has them. */
  readonly migrations: ReadonlyArray<Migration>
}

/** Opens a dump and checks that this version knows how to make its tables. */
export const openDump = Effect.fn("RestoreDump.open")(function* (file: string) {
  const lines = yield* openLines(file)
  const { damaged, next } = lines
  const format = Format.parseFirstLine(yield* next)
  if (format === undefined) return yield* damaged("it is not a dump that db:dump has made")
  if (format !== Format.format) {
    return yield* new DumpOfOtherVersion({
      file,
      problem: `it has format ${format}, and this version reads ${Format.format}`
    })
  }
  const known = yield* readMigrations
  const migrations: Array<Migration> = []
  for (let line = yield* next; line !== Format.dataLine; line = yield* next) {
    const dumped = Format.parseMigration(line)
    if (dumped === undefined) continue
    const migration = known.find(({ name }) => name === dumped.name)
    if (migration === undefined) {
      return yield* new DumpOfOtherVersion({
        file,
        problem: `it has the migration ${dumped.name}, which this version does not know`
      })
    }
    if (migration.checksum !== dumped.checksum) {
      return yield* new DumpOfOtherVersion({
        file,
        problem: `its migration ${dumped.name} is not the one that this version has`
      })
    }
    migrations.push(migration)
  }
  return { file, lines, migrations } satisfies OpenDump
})

export interface RestoreOptions {
  /** Which database it is, for messages. */
  readonly database: string
  /** Whether rows that are there may go. */
  readonly replace: boolean
}

/**
 * Brings the dump's rows into the database of the SqlClient, in one transaction: after a failure it is as it was before. The tables are made as they
 * were when the dump was made, filled, and then brought up to date.
 */
export const restoreDump = Effect.fn("RestoreDump.restore")(function* (
  { lines, migrations }: OpenDump,
  options: RestoreOptions
) {
  const sql = yield* SqlClient.SqlClient
  const failed = (error: SqlError.SqlError) =>
    Effect.fail(new RestoreFailed({ database: options.database, cause: wordsOf(error) }))
  return yield* Effect.andThen(
    refuseServices(options.database),
    Effect.gen(function* () {
      yield* sql`SET LOCAL statement_timeout = 0`
      yield* holdMigrations
      yield* refuseRows(options)
      yield* migrateBy(migrations)
      yield* refuseNewer(migrations, options.database)
      const tables = yield* findTables
      const resume = yield* suspendChecks(tables)
      const emptied = options.replace ? tables.map(({ name }) => name) : ledgers
      yield* sql`TRUNCATE ${sql.literal(quotedList(emptied))}`
      const counts = yield* restoreRows(lines, tables)
      yield* resume
      yield* migrate
      return counts
    }).pipe(sql.withTransaction)
  ).pipe(Effect.catchTags({ SqlError: failed, SchemaError: Effect.die }))
})

/** A connection that was closed a moment ago may still be listed. */
const patience = Schedule.upTo(Schedule.spaced("100 millis"), { duration: "2 seconds" })

/** A service that goes on would see its tasks change under it, and store new ones among them. */
const refuseServices = Effect.fnUntraced(
  function* (database: string) {
    const sql = yield* SqlClient.SqlClient
    const [row] = yield* sql<{ connections: number }>`
    SELECT count(*)::int AS "connections" FROM pg_stat_activity
    WHERE datname = current_database() AND application_name = ${serviceName} AND pid <> pg_backend_pid()`
    const connections = row?.connections ?? 0
    if (connections > 0) return yield* new DatabaseInUse({ database, connections })
  },
  Effect.retry({ while: ({ _tag }) => _tag === "DatabaseInUse", schedule: patience })
)

/** Locks what is there, so that it stays as it is found. */
const refuseRows = Effect.fnUntraced(function* ({ database, replace }: RestoreOptions) {
  const sql = yield* SqlClient.SqlClient
  const names = (yield* findTables).map(({ name }) => name)
  if (names.length === 0) return
  yield* sql`LOCK TABLE ${sql.literal(quotedList(names))} IN ACCESS EXCLUSIVE MODE`
  if (replace) return
  const filled = yield* Effect.filter(
    names.filter((name) => !ledgers.includes(name)),
    (name) => Effect.map(sql`SELECT 1 FROM ${sql(name)} LIMIT 1`, (rows) => rows.length > 0)
  )
  if (filled.length > 0) return yield* new DatabaseNotEmpty({ database, tables: filled })
})

/** The rows fit the tables only where both have the same migrations. */
const refuseNewer = Effect.fnUntraced(function* (migrations: ReadonlyArray<Migration>, database: string) {
  const ledger = yield* readLedger
  const newer = [...ledger.keys()].filter((name) => !migrations.some((migration) => migration.name === name))
  if (newer.length > 0) return yield* new DatabaseNewerThanDump({ database, migrations: newer })
})

interface Suspended {
  readonly table: string
  readonly name: string
  readonly definition: string
}

/**
 * Takes foreign keys off (rows refer to rows that come later; checking them all at the end is faster besides) and lets triggers rest (nobody is to hear of
 * old events), but for those that count. Gives the effect that undoes it.
 */
const suspendChecks = Effect.fnUntraced(function* (tables: ReadonlyArray<FoundTable>) {
  const sql = yield* SqlClient.SqlClient
  const ours = sql`n.nspname = current_schema() AND ${sql.in(
    "relname",
    tables.map(({ name }) => name)
  )}`
  const foreignKeys = yield* sql<Suspended>`
    SELECT quote_ident(c.relname) AS "table", quote_ident(k.conname) AS "name", pg_get_constraintdef(k.oid) AS "definition"
    FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE k.contype = 'f' AND ${ours}`
  const triggers = yield* sql<Suspended>`
    SELECT quote_ident(c.relname) AS "table", quote_ident(t.tgname) AS "name", '' AS "definition"
    FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE NOT t.tgisinternal AND t.tgenabled = 'O' AND NOT starts_with(t.tgname, ${derivingTriggers}) AND ${ours}`
  const alter = (list: ReadonlyArray<Suspended>, change: (item: Suspended) => string) =>
    Effect.forEach(list, (item) => sql.unsafe(`ALTER TABLE ${item.table} ${change(item)}`).unprepared, {
      discard: true
    })
  yield* alter(foreignKeys, ({ name }) => `DROP CONSTRAINT ${name}`)
  yield* alter(triggers, ({ name }) => `DISABLE TRIGGER ${name}`)
  return Effect.andThen(
    alter(foreignKeys, ({ definition, name }) => `ADD CONSTRAINT ${name} ${definition}`),
    alter(triggers, ({ name }) => `ENABLE TRIGGER ${name}`)
  )
})

/** Reads the rest of the dump. */
const restoreRows = Effect.fnUntraced(function* (lines: LineReader, tables: ReadonlyArray<FoundTable>) {
  const counts: Array<TableCount> = []
  for (let line = yield* lines.next; line !== Format.lastLine; line = yield* lines.next) {
    const dumped = Format.parseTable(line)
    const sequence = Format.parseSequence(line)
    if (dumped !== undefined) counts.push(yield* restoreTable(lines, dumped, tables))
    else if (sequence !== undefined) yield* restoreSequence(sequence)
    else if (line !== "") return yield* lines.damaged("it is not known what to do with this")
  }
  return counts
})

const restoreSequence = Effect.fnUntraced(function* ({ called, column, table, value }: Format.DumpedSequence) {
  const sql = yield* SqlClient.SqlClient
  yield* sql`SELECT setval(pg_get_serial_sequence(quote_ident(${table}), ${column}), ${value}::text::bigint, ${called})`
})

/** What is sent at a time: as much as fills a message well, and is little in memory. */
const [batchLength, batchRows] = [4_000_000, 2_000]

const restoreTable = Effect.fnUntraced(function* (
  { damaged, next }: LineReader,
  { columns, table }: Format.DumpedTable,
  tables: ReadonlyArray<FoundTable>
) {
  const sql = yield* SqlClient.SqlClient
  const target = tables.find(({ name }) => name === table)
  const types = columns.map((column) => target?.columns.find(({ name }) => name === column)?.type)
  if (target === undefined || types.includes(undefined))
    return yield* damaged(`there is no such table as this "${table}"`)
  const insert =
    `INSERT INTO "${table}" (${columns.map((column) => `"${column}"`).join(", ")}) OVERRIDING SYSTEM VALUE ` +
    `SELECT ${types.map((type, index) => `"${index}"::${type}`).join(", ")} ` +
    `FROM unnest(${types.map((_, index) => `$${index + 1}::text[]`).join(", ")}) r (${types.map((_, index) => `"${index}"`).join(", ")})`
  let rows = 0
  let length = 0
  let batch: Array<ReadonlyArray<string | null>> = []
  const send = Effect.gen(function* () {
    const values = columns.map((_, index) =>
      PgTypes.array(
        batch.map((row) => row[index] ?? null),
        PgTypes.OID.text
      )
    )
    yield* sql.unsafe(insert, yield* Effect.orDie(Effect.fromResult(Result.all(values))))
    batch = []
    length = 0
  })
  for (let line = yield* next; line !== Format.endOfRows; line = yield* next) {
    const row = Format.parseRow(line)
    if (row?.length !== columns.length) return yield* damaged(`this is not a row of "${table}"`)
    batch.push(row)
    rows += 1
    length += line.length
    if (length >= batchLength || batch.length >= batchRows) yield* send
  }
  if (batch.length > 0) yield* send
  const counted = Format.parseCount(yield* next)
  if (counted !== rows) return yield* damaged(`"${table}" had ${counted} rows when it was dumped, and here are ${rows}`)
  return { table, rows }
})
