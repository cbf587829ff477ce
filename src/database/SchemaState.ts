import { Effect, Schema } from "effect"
import { SqlClient } from "effect/sql"
import { SchemaNotRecognised } from "./MigrationErrors.ts"
import { type OriginalState, originalHistory, type Tables } from "./OriginalHistory.ts"
import { readPrismaLedger } from "./PrismaLedger.ts"

const ownTables = ["TaskRun", "ToolExecution", "TaskEvent"]
const ourNames = [...new Set(originalHistory.flatMap(({ tables }) => Object.keys(tables))), ...ownTables]
const ourTypes = ["TaskStatus", "TaskPriority", "Role", "TaskType"]

/**
 * The original's migration, by name, that left the database's tables as they are; null for a database without tables of these names. The
 * original's ledger may be missing or incomplete, but must not contradict the tables. Fails with what was found in any other state.
 */
export const recogniseSchema = Effect.gen(function* () {
  const found = yield* readTables
  const { finished } = yield* readPrismaLedger
  const state = originalHistory.findLast(({ tables }) => differences(tables, found).length === 0)
  const known = state === undefined ? [] : originalHistory.slice(0, originalHistory.indexOf(state) + 1)
  const contradictions = originalHistory
    .filter(({ migration }) => finished.has(migration) && !known.some((earlier) => earlier.migration === migration))
    .map(
      ({ migration }) =>
        `the ledger _prisma_migrations says that ${migration} is finished, but the tables are not as it leaves them`
    )
  if (state !== undefined && contradictions.length === 0) return state.migration
  if (state !== undefined) {
    return yield* new SchemaNotRecognised({
      found: [`the tables are as the original's ${state.migration} leaves them`, ...contradictions]
    })
  }
  if (Object.keys(found).length > 0)
    return yield* new SchemaNotRecognised({ found: [...nearest(found), ...contradictions] })
  const remarks = [...contradictions, ...(yield* leftoverTypes)]
  if (remarks.length > 0) return yield* new SchemaNotRecognised({ found: ["none of the tables is there", ...remarks] })
  return null
})

const decodeColumns = Schema.decodeUnknownEffect(
  Schema.Array(Schema.Struct({ table: Schema.String, column: Schema.String, type: Schema.String }))
)

/** The tables (or views) with names of ours; enums are described by their labels. */
const readTables = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  const columns = yield* sql`
      SELECT c.relname::text AS "table", a.attname::text AS "column",
        CASE t.typtype
          WHEN 'e' THEN 'enum ' || (SELECT string_agg(e.enumlabel, ', ' ORDER BY e.enumsortorder) FROM pg_enum e WHERE e.enumtypid = t.oid)
          ELSE format_type(a.atttypid, a.atttypmod)
        END AS "type"
      FROM pg_class c
      JOIN pg_namespace n ON n.oid = c.relnamespace
      JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
      JOIN pg_type t ON t.oid = a.atttypid
      WHERE n.nspname = current_schema() AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND ${sql.in("relname", ourNames)}
      ORDER BY c.relname, a.attnum`
  const tables: Record<string, Record<string, string>> = {}
  for (const { column, table, type } of yield* decodeColumns(columns)) {
    tables[table] = { ...tables[table], [column]: type }
  }
  return tables
})

const leftoverTypes = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  const rows = yield* sql<{ name: string }>`
    SELECT t.typname::text AS "name" FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
    WHERE n.nspname = current_schema() AND ${sql.in("typname", ourTypes)} ORDER BY 1`
  return rows.map(({ name }) => `the type "${name}" is there without them`)
})

/** How `found` differs from `expected`, a remark each. */
const differences = (expected: Tables, found: Tables): ReadonlyArray<string> =>
  ourNames.flatMap((table) => {
    const wanted = expected[table]
    const columns = found[table]
    if (wanted === undefined || columns === undefined) {
      if (wanted === columns) return []
      return [`the table "${table}" is ${columns === undefined ? "missing" : "there"}`]
    }
    return [...new Set([...Object.keys(wanted), ...Object.keys(columns)])].flatMap((column) => {
      const [want, is] = [wanted[column], columns[column]]
      if (want === is) return []
      if (is === undefined) return [`the column "${table}"."${column}" is missing`]
      if (want === undefined) return [`the column "${table}"."${column}" (${is}) is there and unknown`]
      return [`the column "${table}"."${column}" is ${is} and not ${want}`]
    })
  })

/** The known state with the fewest differences, and these. */
const nearest = (found: Tables): ReadonlyArray<string> => {
  const compare = ({ migration, tables }: OriginalState) => ({ migration, remarks: differences(tables, found) })
  const [best] = originalHistory.map(compare).sort((a, b) => a.remarks.length - b.remarks.length)
  return best === undefined ? [] : [`nearest is what the original's ${best.migration} leaves, but`, ...best.remarks]
}
