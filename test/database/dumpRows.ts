import { Effect } from "effect"
import { SqlClient } from "effect/sql"
import { unmoved } from "../../src/database/dump/DumpTables.ts"

/** What a dump's format could stumble over. */
export const awkwardTexts = [
  "",
  "\\N",
  "\\.",
  "\\",
  "\\\\t\\n",
  "tab\there",
  "line\nfeed\r\nand return\r",
  "\n\\.\n",
  "\u0001\b\f\v\u001f\u007f\u0085\u2028",
  "grüße ☃ 👩‍👩‍👧 𝔘 \ufeff",
  `'quoted' "twice" $$; -- not a comment`,
  'COPY "Task" ("id") FROM stdin;'
]

const at = new Date("2026-01-02T03:04:05.678Z")

/** Rows in every table that the service has, with awkward values, and sequences that have moved on. `large` is the size of one file. */
export const fillDatabase = Effect.fnUntraced(function* (large: number) {
  const sql = yield* SqlClient.SqlClient
  yield* sql`
    INSERT INTO "User" ("id", "name", "email", "emailVerified", "updatedAt") VALUES ('user', NULL, 'u@example.org', true, ${at})`
  yield* sql`
    INSERT INTO "Session" ("id", "userId", "token", "expiresAt", "updatedAt") VALUES ('session', 'user', 't', ${at}, ${at})`
  yield* sql`
    INSERT INTO "Account" ("id", "userId", "accountId", "providerId", "password", "updatedAt")
    VALUES ('account', 'user', 'user', 'credential', 'hash$2b$', ${at})`
  yield* sql`
    INSERT INTO "ApiKey" ("id", "userId", "name", "start", "hash", "createdAt") VALUES ('key', 'user', 'machine', 'bytebot_', 'h', ${at})`
  yield* sql`
    INSERT INTO "Verification" ("id", "identifier", "value", "expiresAt", "updatedAt") VALUES ('verification', 'i', 'v', ${at}, ${at})`
  for (const [index, text] of awkwardTexts.entries()) {
    const json = JSON.stringify({ z: text, a: [text, null, 1.5e300, true], [text]: "key" })
    yield* sql`
      INSERT INTO "Task" ("id", "description", "status", "priority", "model", "result", "error", "userId", "createdAt", "updatedAt")
      VALUES (${`task-${index}`}, ${text}, 'NEEDS_HELP', 'URGENT', ${json}::jsonb, ${json}::jsonb, ${text}, 'user', ${at}, ${at})`
  }
  // A summary before the one that it refers to.
  yield* sql`INSERT INTO "Summary" ("id", "content", "updatedAt", "taskId") VALUES ('child', 'c', ${at}, 'task-0')`
  yield* sql`INSERT INTO "Summary" ("id", "content", "updatedAt", "taskId") VALUES ('parent', 'p', ${at}, 'task-0')`
  yield* sql`UPDATE "Summary" SET "parentId" = 'parent' WHERE "id" = 'child'`
  yield* sql`
    INSERT INTO "Message" ("id", "content", "role", "updatedAt", "taskId", "summaryId", "userId")
    SELECT 'message-' || n, jsonb_build_array(n, repeat('é', n % 7)), 'USER', ${at}, 'task-1', 'child', 'user' FROM generate_series(1, 5000) n`
  yield* sql`
    INSERT INTO "File" ("id", "name", "type", "size", "data", "updatedAt", "taskId")
    SELECT 'file', 'n', 't', 1, string_agg(md5(n::text), '\\'), ${at}, 'task-0' FROM generate_series(1, ${Math.ceil(large / 33)}::int) n`
  yield* sql`
    INSERT INTO "TaskRun" ("taskId", "desktop", "epoch", "active", "createdAt", "updatedAt") VALUES ('task-1', 'http://d', 7, true, ${at}, ${at})`
  yield* sql`
    INSERT INTO "TaskDesktop" ("taskId", "desktop") VALUES ('task-1', 'office')`
  yield* sql`
    INSERT INTO "TaskTrace" ("taskId", "traceparent") VALUES ('task-1', '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01')`
  yield* sql`
    INSERT INTO "DesktopOwner" ("desktop", "generation", "replica", "since", "lastSeenAt") VALUES ('http://d', 3, '10.0.0.1:34431', ${at}, ${at})`
  yield* sql`
    INSERT INTO "ToolExecution" ("messageId", "index", "taskId", "epoch", "startedAt", "result")
    VALUES ('message-1', 0, 'task-1', 7, ${at}, ${'{"z": 1,\n\t"a" : 2, "z": 3}'}::json)`
  yield* sql`
    INSERT INTO "TaskEvent" ("taskId", "kind", "payload", "createdAt") SELECT 'task-1', 'task_updated', '{"b":1,"a":2}'::json, now() FROM generate_series(1, 20)`
  yield* sql`DELETE FROM "TaskEvent" WHERE "id" > 15`
  yield* sql`
    INSERT INTO "ModelCall" ("id", "taskId", "purpose", "provider", "model", "inputTokens", "outputTokens", "cacheReadTokens", "cacheWriteTokens", "cost", "durationMs", "createdAt")
    VALUES ('call', 'task-1', 'agent', 'p', 'm', 1, 2, 3, 4, 0.1::float8 + 0.2::float8, 5, ${at})`
  // Another's, which was not finished.
  yield* sql`INSERT INTO "_prisma_migrations" ("id", "checksum", "migration_name", "logs") VALUES ('x', 'c', 'somebody', E'a\\nb')`
})

interface Content {
  /** Rows and a digest of all values by table. */
  readonly tables: Readonly<Record<string, string>>
  readonly sequences: Readonly<Record<string, string>>
}

/**
 * All that a dump has to move, in a form that can be compared; the order of rows and of columns does not count. What replicas keep about themselves is
 * left out.
 */
export const contentOf = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  const columns = yield* sql<{ table: string; names: string }>`
    SELECT table_name::text AS "table", string_agg(quote_ident(column_name), ', ' ORDER BY column_name) AS "names"
    FROM information_schema.columns WHERE table_schema = 'public' AND table_name NOT LIKE 'cluster%' AND NOT ${sql.in("table_name", unmoved)} GROUP BY 1 ORDER BY 1`
  const sequences = yield* sql<{
    name: string
  }>`SELECT sequencename::text AS "name" FROM pg_sequences WHERE schemaname = 'public' AND sequencename NOT LIKE 'cluster%'`
  const content: { -readonly [K in keyof Content]: Record<string, string> } = { tables: {}, sequences: {} }
  for (const { names, table } of columns) {
    const [row] = yield* sql<{ digest: string }>`
      SELECT count(*) || ' ' || coalesce(md5(string_agg(line, ';' ORDER BY line)), '') AS "digest"
      FROM (SELECT md5(ROW(${sql.literal(names)})::text) AS line FROM ${sql(table)}) r`
    content.tables[table] = row?.digest ?? ""
  }
  for (const { name } of sequences) {
    const [row] = yield* sql<{ state: string }>`SELECT last_value || ' ' || is_called AS "state" FROM ${sql(name)}`
    content.sequences[name] = row?.state ?? ""
  }
  // How far they are folded does not count.
  const [counts] = yield* sql<{ digest: string }>`
    SELECT coalesce(sum("count"), 0)::text AS "digest" FROM (
      SELECT "count" FROM "TaskCount" WHERE "userId" IS NULL UNION ALL SELECT "count" FROM "TaskCountChange"
    ) c`
  content.tables.counts = counts?.digest ?? ""
  return content satisfies Content
})
