import { NodeRuntime } from "@effect/platform-node"
import { PgClient } from "@effect/sql-pg"
import { Effect, Redacted, Schema } from "effect"
import { Reactivity } from "effect/reactivity"
import * as EmbeddedPostgres from "../src/database/EmbeddedPostgres.ts"
import * as Anthropic from "../test/emulators/anthropic.ts"
import * as Desktop from "../test/emulators/desktop.ts"
import { makeReplica } from "../test/support/Replicas.ts"
import { request } from "../test/support/RestClient.ts"
import { until } from "../test/support/Waiting.ts"
import { say } from "./report.ts"
import { folder } from "./serviceProcess.ts"

/**
 * Four replicas and a hundred desktops on one machine, together with the emulated model and desktops, which answer at once: how many tasks
 * they get done, how evenly, with how many statements, and what 200,000 finished tasks in the database change.
 */

const [replicaCount, desktopCount, taskCount, iterations] = [4, 100, 200, 10]

const isSql = (text: string) => !/^(?:BEGIN|COMMIT|ROLLBACK|LISTEN|UNLISTEN)/.test(text)
/** Statements that come by the clock, of the cluster, the health of desktops and the events, and not by a task's iterations. */
const isByTheClock = (text: string) =>
  /cluster_|pg_locks|pg_advisory|set_config|"DesktopOwner" SET|"TaskEvent" e|"TaskCountChange"|SELECT "id", "taskId", "kind"/.test(
    text
  )

const decodeRow = Schema.decodeUnknownSync(
  Schema.Struct({ seconds: Schema.Finite, median: Schema.Finite, slow: Schema.Finite })
)
const decodeCounts = Schema.decodeUnknownSync(Schema.Array(Schema.Struct({ count: Schema.Int })))

const program = Effect.gen(function* () {
  const dataDir = yield* folder
  const { url } = yield* EmbeddedPostgres.make({ dataDir, database: "bytebot", settings: { max_connections: "100" } })
  const model = yield* Anthropic.scoped({
    defaultReply: ({ messages }) => {
      const step = messages.filter(({ role }) => role === "assistant").length
      const tool =
        step < iterations - 1
          ? { name: "computer_move_mouse", input: { coordinates: { x: step, y: 1 } } }
          : { name: "set_task_status", input: { status: "completed", description: "done" } }
      return { content: [{ type: "tool_use", ...tool }] }
    }
  })
  const desktops = yield* Effect.forEach(Array.from({ length: desktopCount }), () => Desktop.scoped())
  let statements = 0
  let byTheClock = 0
  const replicas = yield* Effect.forEach(Array.from({ length: replicaCount }), () =>
    makeReplica({
      databaseUrl: Redacted.value(url),
      decide: ({ texts }) => {
        for (const text of texts.filter(isSql)) {
          if (isByTheClock(text)) byTheClock += 1
          else statements += 1
        }
        return "pass"
      },
      isOneOfMany: true,
      variables: {
        ANTHROPIC_API_KEY: "any",
        ANTHROPIC_BASE_URL: model.url,
        BYTEBOT_DESKTOP_BASE_URL: desktops.map((desktop, index) => `d${index}=${desktop.url}`).join(","),
        BYTEBOT_SETTLE_DELAY: "0",
        LOG_LEVEL: "warn"
      }
    })
  )
  yield* Effect.forEach(replicas, ({ start }) => start)
  const sql = yield* PgClient.make({ url, maxConnections: 2 }).pipe(Effect.provide(Reactivity.layer))
  const urls = replicas.map((replica) => replica.url)

  const round = Effect.fnUntraced(function* (name: string) {
    const begun = new Date()
    const [statementsBefore, clockBefore] = [statements, byTheClock]
    yield* Effect.forEach(
      Array.from({ length: taskCount }, (_, index) => urls[index % urls.length] ?? ""),
      (address) => request(address, "POST", "/tasks", { description: name }),
      { concurrency: 32, discard: true }
    )
    yield* until(
      "all tasks are done",
      Effect.map(sql`SELECT 1 FROM "Task" WHERE "status" IN ('PENDING', 'RUNNING') LIMIT 1`, (rows) =>
        rows.length === 0 ? true : undefined
      ),
      "5 minutes"
    )
    const [row] = yield* sql`
      SELECT extract(epoch FROM max("completedAt") - min("createdAt"))::float8 AS seconds,
        percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM "executedAt" - "createdAt"))::float8 AS median,
        percentile_cont(0.95) WITHIN GROUP (ORDER BY extract(epoch FROM "executedAt" - "createdAt"))::float8 AS slow
      FROM "Task" WHERE "description" = ${name}`
    const { median, seconds, slow } = decodeRow(row)
    const perDesktop = decodeCounts(
      yield* sql`SELECT count(*)::int AS count FROM "TaskRun" WHERE "createdAt" >= ${begun} GROUP BY "desktop" ORDER BY 1`
    ).map(({ count }) => count)
    const perReplica = decodeCounts(
      yield* sql`SELECT count(*)::int AS count FROM "TaskRun" r JOIN "DesktopOwner" o USING ("desktop")
        WHERE r."createdAt" >= ${begun} GROUP BY o."replica" ORDER BY 1`
    ).map(({ count }) => count)
    const perTask = (statements - statementsBefore) / taskCount
    yield* say(`${name}:`)
    yield* say(
      `  ${(taskCount / seconds).toFixed(1)} tasks/s, ${((taskCount * iterations) / seconds).toFixed(0)} iterations/s; ` +
        `waiting for a desktop: median ${median.toFixed(2)} s, 95 % below ${slow.toFixed(2)} s`
    )
    yield* say(
      `  tasks per desktop: ${perDesktop[0]} to ${perDesktop.at(-1)} on ${perDesktop.length} desktops; per replica: ${perReplica.join(", ")}`
    )
    yield* say(
      `  statements: ${perTask.toFixed(1)} per task of ${iterations} iterations, all included; by the clock ${((byTheClock - clockBefore) / seconds).toFixed(0)}/s`
    )
  })

  yield* round("warm-up")
  yield* round("an empty database")
  yield* sql`
    INSERT INTO "Task" ("id", "description", "status", "model", "createdAt", "updatedAt", "executedAt", "completedAt")
    SELECT 'old-' || n, 'old', 'COMPLETED', '{}', now() - n * interval '1 second', now(), now() - n * interval '1 second', now()
    FROM generate_series(1, 200000) n`
  yield* sql`
    INSERT INTO "Message" ("id", "content", "role", "taskId", "createdAt", "updatedAt")
    SELECT 'old-' || n || '-' || m, '[{"type": "text", "text": "old"}]', 'USER', 'old-' || n, now() - n * interval '1 second', now()
    FROM generate_series(1, 200000) n, generate_series(1, 3) m`
  yield* sql`ANALYZE`
  yield* round("200,000 finished tasks")
}).pipe(Effect.scoped)

NodeRuntime.runMain(program)
