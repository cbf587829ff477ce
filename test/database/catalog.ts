import { Effect } from "effect"
import { SqlClient } from "effect/sql"

/**
 * The database's public schema as the system catalogs tell it, a line per fact and sorted: columns (not their order), constraints, indexes,
 * sequences, enums, triggers, functions. Tables in `except` are left out.
 */
export const schemaOf = Effect.fnUntraced(function* (except: ReadonlyArray<string> = []) {
  const sql = yield* SqlClient.SqlClient
  const rows = yield* sql<{ fact: string }>`
    WITH tables AS (
      SELECT c.oid, c.relname FROM pg_class c
      WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v') AND NOT c.relname = ANY (${except}::text[])
    )
    SELECT 'column ' || concat_ws(' | ', table_name, column_name, data_type, udt_name, datetime_precision, is_nullable, column_default, is_identity, identity_generation) AS fact
      FROM information_schema.columns JOIN tables ON relname = table_name WHERE table_schema = 'public'
    UNION ALL SELECT 'constraint ' || t.relname || ' ' || k.conname || ' ' || pg_get_constraintdef(k.oid) FROM pg_constraint k JOIN tables t ON t.oid = k.conrelid
    UNION ALL SELECT 'index ' || pg_get_indexdef(i.indexrelid) FROM pg_index i JOIN tables t ON t.oid = i.indrelid
    UNION ALL SELECT 'sequence ' || concat_ws(' | ', s.sequencename, s.data_type, s.start_value, s.min_value, s.max_value, s.increment_by, s.cycle)
      FROM pg_sequences s WHERE s.schemaname = 'public'
    UNION ALL SELECT 'trigger ' || pg_get_triggerdef(g.oid) FROM pg_trigger g JOIN tables t ON t.oid = g.tgrelid WHERE NOT g.tgisinternal
    UNION ALL SELECT 'type ' || y.typname || ' ' || (SELECT string_agg(e.enumlabel, ', ' ORDER BY e.enumsortorder) FROM pg_enum e WHERE e.enumtypid = y.oid)
      FROM pg_type y WHERE y.typnamespace = 'public'::regnamespace AND y.typtype = 'e'
    UNION ALL SELECT 'function ' || pg_get_functiondef(p.oid) FROM pg_proc p WHERE p.pronamespace = 'public'::regnamespace
    ORDER BY 1`
  return rows.map(({ fact }) => fact)
})

/** All rows of the public schema by table, each as an object, sorted by their text. */
export const rowsOfAll = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  const tables = yield* sql<{
    name: string
  }>`SELECT tablename::text AS name FROM pg_tables WHERE schemaname = 'public' ORDER BY 1`
  const all: Record<string, ReadonlyArray<Record<string, unknown>>> = {}
  for (const { name } of tables) {
    const rows = yield* sql<{
      row: Record<string, unknown>
    }>`SELECT to_jsonb(t) AS row FROM ${sql(name)} t ORDER BY t::text`
    all[name] = rows.map(({ row }) => row)
  }
  return all
})
