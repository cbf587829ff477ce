import { Effect, Schema } from "effect"
import { SqlClient } from "effect/sql"

/** Rows that are stored by one statement. */
const batch = 100_000

/** Messages of a task. */
export const messagesPerTask = 5

/** Tasks that only the benchmark's own worker may take: they ask for a desktop of this name. */
export const claimedDesktop = "bench"

/** How many of them there are. */
export const claimable = 200

const decodeIndexes = Schema.decodeUnknownEffect(
  Schema.Array(Schema.Struct({ name: Schema.String, definition: Schema.String }))
)

/**
 * Fills a new database with tasks, five messages and one call of a model each: most tasks are over, about one in a hundred waits or runs, and none
 * of those may be taken by a worker of the service (the user controls it, or it is scheduled for later). Every hundredth text has the word "invoice".
 * Secondary indexes are made at the end, as that is quicker, and foreign keys are not checked.
 */
export const fill = Effect.fn("fill")(function* (total: number) {
  const sql = yield* SqlClient.SqlClient
  const tasks = total - claimable
  const indexes = yield* decodeIndexes(
    yield* sql`
    SELECT quote_ident(c.relname) AS name, pg_get_indexdef(i.indexrelid) AS definition FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
    WHERE NOT i.indisunique AND i.indrelid IN ('"Task"'::regclass, '"Message"'::regclass, '"ModelCall"'::regclass)`
  )
  yield* sql`SET synchronous_commit = off`
  yield* sql`SET maintenance_work_mem = '1GB'`
  yield* Effect.forEach(indexes, ({ name }) => sql.unsafe(`DROP INDEX ${name}`).unprepared)
  const alterForeignKeys = (how: "DISABLE" | "ENABLE") =>
    Effect.forEach(
      ["Message", "ModelCall"],
      (table) => sql.unsafe(`ALTER TABLE "${table}" ${how} TRIGGER ALL`).unprepared
    )
  yield* alterForeignKeys("DISABLE")
  for (let first = 1; first <= tasks; first += batch) {
    const numbers = sql.literal(`generate_series(${first}, ${Math.min(tasks, first + batch - 1)}) n`)
    const age = sql.literal(`(${tasks} - n) * interval '10 seconds'`)
    // 7919 is a prime: the properties are spread evenly and independently over the tasks.
    yield* sql`
      INSERT INTO "Task" ("id", "description", "type", "status", "priority", "control", "createdBy", "createdAt", "updatedAt", "scheduledFor", "executedAt", "completedAt", "model")
      SELECT 'task-' || n, 'Open the browser and write the report number ' || n || CASE WHEN n % 100 = 0 THEN ' on the invoice' ELSE ' on the weather' END,
        (CASE WHEN d % 10 = 3 THEN 'SCHEDULED' ELSE 'IMMEDIATE' END)::"TaskType", s.status::"TaskStatus",
        (CASE WHEN e < 5 THEN 'URGENT' WHEN e < 20 THEN 'HIGH' WHEN e < 40 THEN 'LOW' ELSE 'MEDIUM' END)::"TaskPriority",
        (CASE WHEN s.status = 'COMPLETED' THEN 'ASSISTANT' ELSE 'USER' END)::"Role", (CASE WHEN d % 10 = 7 THEN 'ASSISTANT' ELSE 'USER' END)::"Role",
        now() - ${age}, now() - ${age}, CASE WHEN d % 10 = 3 THEN now() + interval '10 years' END,
        CASE WHEN s.status <> 'PENDING' THEN now() - ${age} END, CASE WHEN s.status = 'COMPLETED' THEN now() - ${age} END, '{"provider": "anthropic", "name": "m"}'
      FROM ${numbers}, LATERAL (SELECT (n::bigint * 7919 + n / 10) % 10 AS d, (n::bigint * 7919 / 10 + n / 100) % 100 AS e, n::bigint * 7919 % 1000 AS f) x,
        LATERAL (SELECT CASE WHEN f < 1 THEN 'RUNNING' WHEN f < 5 THEN 'PENDING' WHEN f < 8 THEN 'NEEDS_HELP' WHEN f < 10 THEN 'NEEDS_REVIEW'
          WHEN f < 50 THEN 'CANCELLED' WHEN f < 100 THEN 'FAILED' ELSE 'COMPLETED' END AS status) s`
    yield* sql`
      INSERT INTO "Message" ("id", "content", "role", "createdAt", "updatedAt", "taskId")
      SELECT 'm' || n || '-' || m, jsonb_build_array(jsonb_build_object('type', 'text', 'text', repeat(md5(n || '-' || m), 6))),
        (CASE WHEN m % 2 = 0 THEN 'ASSISTANT' ELSE 'USER' END)::"Role", now() - ${age} + m * interval '1 second', now() - ${age}, 'task-' || n
      FROM ${numbers}, generate_series(1, ${sql.literal(String(messagesPerTask))}) m`
    yield* sql`
      INSERT INTO "ModelCall" ("id", "taskId", "purpose", "provider", "model", "inputTokens", "outputTokens", "cacheReadTokens", "cacheWriteTokens", "durationMs", "createdAt")
      SELECT 'c' || n, 'task-' || n, 'reply', 'anthropic', 'm', 1000, 100, 0, 0, 2000, now() - ${age} FROM ${numbers}`
  }
  yield* alterForeignKeys("ENABLE")
  yield* Effect.forEach(indexes, ({ definition }) => sql.unsafe(definition).unprepared)
  yield* sql`VACUUM ANALYZE`
})

/** Adds the tasks for the benchmark's own worker, older than all others. */
export const addClaimable = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  yield* sql`
    WITH task AS (
      INSERT INTO "Task" ("id", "description", "model", "createdAt", "updatedAt")
      SELECT gen_random_uuid()::text, 'Open the door', '{"provider": "anthropic", "name": "m"}', now() - interval '20 years', now() FROM generate_series(1, ${sql.literal(String(claimable))}) n RETURNING "id"
    )
    INSERT INTO "TaskDesktop" ("taskId", "desktop") SELECT "id", ${claimedDesktop} FROM task`
})
