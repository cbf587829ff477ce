import { spawn } from "node:child_process"
import { writeFileSync } from "node:fs"
import { mkdtemp, rm } from "node:fs/promises"
import { Agent, request } from "node:http"
import { cpus, tmpdir } from "node:os"
import { join } from "node:path"
import { NodeRuntime } from "@effect/platform-node"
import { PgClient } from "@effect/sql-pg"
import { Effect, Redacted } from "effect"
import { Reactivity } from "effect/reactivity"
import * as EmbeddedPostgres from "../src/database/EmbeddedPostgres.ts"
import { say } from "./report.ts"
import { serviceProcess } from "./serviceProcess.ts"

/**
 * Throughput and slowest answers of the REST routes against the least code that answers the same (bench/baseline): both run on the
 * same database, alternating, and are compared round by round. `node bench/http.ts [part of a route's name]`; results also in bench/results/http.json.
 */

const rounds = 5
const roundMs = 1_000
const concurrencies = [1, 32, 128]
const only = process.argv[2] ?? ""

interface Route {
  readonly name: string
  readonly method: string
  readonly path: string
  readonly body?: string
  /** Where the baseline has it, if elsewhere. */
  readonly baselinePath?: string
  /** Large answers are not asked for 128 at a time. */
  readonly isLarge?: boolean
}

const routes: ReadonlyArray<Route> = [
  { name: "GET /tasks/:id", method: "GET", path: "/tasks/bench" },
  { name: "GET /tasks?limit=10", method: "GET", path: "/tasks?limit=10" },
  {
    name: "POST /tasks",
    method: "POST",
    path: "/tasks",
    body: JSON.stringify({
      description: "x",
      scheduledFor: "2099-01-01T00:00:00Z",
      model: { provider: "anthropic", name: "m" }
    })
  },
  { name: "POST /tasks/:id/messages", method: "POST", path: "/tasks/written/messages", body: '{"message":"hello"}' },
  { name: "GET processed, 100 messages", method: "GET", path: "/tasks/bench/messages/processed?limit=100" },
  {
    name: "GET processed, 300 × 150 kB",
    method: "GET",
    path: "/tasks/shots300/messages/processed?limit=1000&page=1",
    baselinePath: "/tasks/shots300/messages?limit=1000&streamed=1",
    isLarge: true
  },
  {
    name: "GET messages, 100 × 500 kB",
    method: "GET",
    path: "/tasks/shots100/messages?limit=100",
    baselinePath: "/tasks/shots100/messages?limit=100&streamed=1",
    isLarge: true
  }
]

/** One answer, read to its end; fails unless it is a success. */
const ask = (agent: Agent, base: string, { body, method }: Route, path: string): Promise<number> =>
  new Promise((resolve, reject) => {
    const begun = performance.now()
    const outgoing = request(
      `${base}${path}`,
      {
        method,
        agent,
        headers:
          body === undefined ? {} : { "content-type": "application/json", "content-length": Buffer.byteLength(body) }
      },
      (answer) => {
        answer.on("data", () => undefined)
        answer.on("end", () =>
          (answer.statusCode ?? 500) < 300
            ? resolve(performance.now() - begun)
            : reject(new Error(`${path}: ${answer.statusCode}`))
        )
      }
    )
    outgoing.on("error", reject)
    outgoing.end(body)
  })

/** Answers per second, and the 99th percentile of their times in ms. */
const measure = async (agent: Agent, base: string, route: Route, path: string, concurrency: number) => {
  const times: Array<number> = []
  const begun = performance.now()
  await Promise.all(
    Array.from({ length: concurrency }, async () => {
      while (performance.now() - begun < roundMs) times.push(await ask(agent, base, route, path))
    })
  )
  times.sort((a, b) => a - b)
  return { rate: (times.length * 1000) / (performance.now() - begun), p99: times[Math.floor(times.length * 0.99)] ?? 0 }
}

const median = (values: ReadonlyArray<number>): number =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0

const baseline = (url: string) =>
  Effect.acquireRelease(
    Effect.callback<{ readonly url: string; readonly stop: () => void }>((resume) => {
      const child = spawn(process.execPath, ["bench/baseline/server.ts", url], { stdio: ["ignore", "pipe", "inherit"] })
      child.stdout.once("data", (port) =>
        resume(Effect.succeed({ url: `http://127.0.0.1:${String(port).trim()}`, stop: () => child.kill() }))
      )
    }),
    ({ stop }) => Effect.sync(stop)
  )

const program = Effect.gen(function* () {
  const dataDir = yield* Effect.acquireRelease(
    Effect.promise(() => mkdtemp(join(tmpdir(), "bytebot-bench-"))),
    (folder) => Effect.promise(() => rm(folder, { recursive: true, force: true }))
  )
  const { url } = yield* EmbeddedPostgres.make({ dataDir, database: "bytebot", settings: { max_connections: "60" } })
  const service = yield* serviceProcess({ DATABASE_URL: Redacted.value(url) })
  const sql = yield* PgClient.make({ url, maxConnections: 1, maxMessageSize: 256 * 1024 * 1024 }).pipe(
    Effect.provide(Reactivity.layer)
  )
  yield* sql`INSERT INTO "Task" ("id", "description", "status", "model", "updatedAt") SELECT 't' || n, 'task ' || n, 'COMPLETED', '{"name": "m", "provider": "anthropic"}', now() FROM generate_series(1, 1000) n`
  for (const id of ["bench", "written", "shots300", "shots100"]) {
    yield* sql`INSERT INTO "Task" ("id", "description", "status", "model", "updatedAt") VALUES (${id}, 'bench', 'COMPLETED', '{"name": "m", "provider": "anthropic"}', now())`
  }
  const noise = (bytes: number) =>
    sql`(SELECT string_agg(md5(random()::text || i), '') FROM generate_series(1, ${sql.literal(String(Math.ceil(bytes / 32)))}) i)`
  yield* sql`INSERT INTO "Message" ("id", "content", "role", "updatedAt", "taskId") SELECT 'b' || n, '[{"type": "text", "text": "a message of some words, as they are"}]', (CASE WHEN n % 2 = 0 THEN 'USER' ELSE 'ASSISTANT' END)::"Role", now(), 'bench' FROM generate_series(1, 100) n`
  for (const [id, count, bytes] of [
    ["shots300", 300, 150_000],
    ["shots100", 100, 500_000]
  ] as const) {
    yield* sql`INSERT INTO "Message" ("id", "content", "role", "updatedAt", "taskId")
      SELECT ${id}::text || n, jsonb_build_array(jsonb_build_object('type', 'tool_result', 'tool_use_id', 'u' || n, 'content', jsonb_build_array(jsonb_build_object('type', 'image', 'source', jsonb_build_object('type', 'base64', 'media_type', 'image/png', 'data', shot.data))))), 'USER', now(), ${id}
      FROM generate_series(1, ${sql.literal(String(count))}) n, (SELECT ${noise(bytes)} AS data) shot`
  }
  yield* sql`ANALYZE`
  const other = yield* baseline(Redacted.value(url))
  const agent = new Agent({ keepAlive: true, maxSockets: 256 })
  const results: Array<Record<string, number | string>> = []
  yield* say(
    "route; at a time; ours /s; baseline /s; throughput, ours ÷ baseline (least to most); p99, ours ÷ baseline"
  )
  for (const route of routes.filter(({ name }) => name.includes(only))) {
    const other_path = route.baselinePath ?? route.path
    for (const concurrency of route.isLarge === true ? [1, 4] : concurrencies) {
      const measured: Array<{
        ours: Awaited<ReturnType<typeof measure>>
        theirs: Awaited<ReturnType<typeof measure>>
      }> = []
      for (let round = -1; round < rounds; round++) {
        const ours = yield* Effect.promise(() => measure(agent, service.url, route, route.path, concurrency))
        const theirs = yield* Effect.promise(() => measure(agent, other.url, route, other_path, concurrency))
        // The first round warms up.
        if (round >= 0) measured.push({ ours, theirs })
      }
      const ratios = measured.map(({ ours, theirs }) => ours.rate / theirs.rate)
      const slow = median(measured.map(({ ours, theirs }) => ours.p99 / theirs.p99))
      const row = {
        route: route.name,
        concurrency,
        ours: median(measured.map(({ ours }) => ours.rate)),
        baseline: median(measured.map(({ theirs }) => theirs.rate)),
        throughput: median(ratios),
        least: Math.min(...ratios),
        most: Math.max(...ratios),
        p99: slow
      }
      results.push(row)
      yield* say(
        `${row.route}; ${concurrency}; ${row.ours.toFixed(1)}; ${row.baseline.toFixed(1)}; ${row.throughput.toFixed(2)} (${row.least.toFixed(2)} to ${row.most.toFixed(2)}); ${slow.toFixed(2)}`
      )
    }
  }
  yield* say(`resident memory of the service: ${Math.round(service.resident() / 1e6)} MB`)
  if (only === "") {
    writeFileSync(
      "bench/results/http.json",
      `${JSON.stringify({ at: new Date().toISOString(), cpus: cpus().length, model: cpus()[0]?.model, results }, null, 2)}\n`
    )
  }
}).pipe(Effect.scoped)

NodeRuntime.runMain(program)
