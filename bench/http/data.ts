import { Effect } from "effect"
import { SqlClient } from "effect/sql"

/** Tasks, all of them over, in a database without any; what is counted of them is told apart, as triggers would take a minute for a million. */
export const fillTasks = Effect.fn("fillTasks")(function* (total: number) {
  const sql = yield* SqlClient.SqlClient
  yield* sql`ALTER TABLE "Task" DISABLE TRIGGER USER`
  yield* sql`
    INSERT INTO "Task" ("id", "description", "status", "model", "createdAt", "updatedAt")
    SELECT 't' || n, 'task ' || n, 'COMPLETED', '{"name": "m", "provider": "anthropic"}', now() - n * interval '1 second', now() FROM generate_series(1, ${sql.literal(String(total))}) n`
  yield* sql`ALTER TABLE "Task" ENABLE TRIGGER USER`
  yield* sql`INSERT INTO "TaskCount" SELECT NULL, "status", "priority", "type", "createdBy", count(*) FROM "Task" GROUP BY 2, 3, 4, 5`
})

/** One task with 100 small messages, one that is written to, and two with screenshots. */
export const fillMessages = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  for (const id of ["bench", "written", "shots300", "shots50"]) {
    yield* sql`INSERT INTO "Task" ("id", "description", "status", "model", "updatedAt") VALUES (${id}, 'bench', 'COMPLETED', '{"name": "m", "provider": "anthropic"}', now())`
  }
  yield* sql`
    INSERT INTO "Message" ("id", "content", "role", "updatedAt", "taskId")
    SELECT 'b' || n, '[{"type": "text", "text": "a message of some words, as they are"}]', (CASE WHEN n % 2 = 0 THEN 'USER' ELSE 'ASSISTANT' END)::"Role", now(), 'bench' FROM generate_series(1, 100) n`
  for (const [id, count, bytes] of [
    ["shots300", 300, 150_000],
    ["shots50", 50, 200_000]
  ] as const) {
    // Hexadecimal noise, which PostgreSQL compresses no better than screenshots.
    const noise = sql`(SELECT string_agg(md5(random()::text || i), '') FROM generate_series(1, ${sql.literal(String(Math.ceil(bytes / 32)))}) i)`
    yield* sql`
      INSERT INTO "Message" ("id", "content", "role", "updatedAt", "taskId")
      SELECT ${id}::text || n, jsonb_build_array(jsonb_build_object('type', 'tool_result', 'tool_use_id', 'u' || n, 'content', jsonb_build_array(jsonb_build_object('type', 'image', 'source', jsonb_build_object('type', 'base64', 'media_type', 'image/png', 'data', shot.data))))), 'USER', now(), ${id}
      FROM generate_series(1, ${sql.literal(String(count))}) n, (SELECT ${noise} AS data) shot`
  }
})
