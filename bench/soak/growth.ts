import { get } from "node:http"
import { text } from "node:stream/consumers"
import { Effect, Schema } from "effect"
import type { SqlClient } from "effect/sql"

/** What the service holds while it has nothing to do: bytes, files and connections, timers and the like. */
export const Held = Schema.Struct({
  heap: Schema.Finite,
  external: Schema.Finite,
  resident: Schema.Finite,
  fds: Schema.Finite,
  resources: Schema.Finite
})
const decodeHeld = Schema.decodeUnknownEffect(Schema.fromJsonString(Held))

/** Asks the probe in the service. */
export const heldBy = (socketPath: string) =>
  Effect.promise(
    () =>
      new Promise<string>((resolve, reject) => {
        get({ socketPath, path: "/", agent: false }, (answer) => resolve(text(answer))).on("error", reject)
      })
  ).pipe(Effect.flatMap(decodeHeld))

const decodeTables = Schema.decodeUnknownEffect(
  Schema.Array(Schema.Struct({ table: Schema.String, rows: Schema.NumberFromString }))
)

/** Rows of every table. */
export const rowsOf = Effect.fnUntraced(function* (sql: SqlClient.SqlClient) {
  const rows = yield* sql`
    SELECT c.relname AS table,
      (xpath('/row/n/text()', query_to_xml(format('SELECT count(*) AS n FROM %I', c.relname), false, true, '')))[1]::text AS rows
    FROM pg_class c WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace ORDER BY 1`
  return Object.fromEntries((yield* decodeTables(rows)).map(({ rows, table }) => [table, rows]))
})
