import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { writeFileSync } from "node:fs"
import { NodeRuntime } from "@effect/platform-node"
import { PgClient } from "@effect/sql-pg"
import { Effect, Redacted } from "effect"
import { Reactivity } from "effect/reactivity"
import { SqlClient } from "effect/sql"
import * as EmbeddedPostgres from "../src/database/EmbeddedPostgres.ts"
import { decodeTask, request } from "../test/support/RestClient.ts"
import { until } from "../test/support/Waiting.ts"
import { ask, load, type Question } from "./http/client.ts"
import { fillMessages, fillTasks } from "./http/data.ts"
import { instantServer } from "./instant.ts"
import { say } from "./report.ts"
import { folder, memoryBytes, serviceProcess } from "./serviceProcess.ts"
import { inWords, median, spread } from "./statistics.ts"
import { conclude, type Target } from "./verdict.ts"

/**
 * Throughput and slowest answers of the REST routes against the least code that answers the same JSON (bench/baseline/server.ts): both as processes
 * of their own, on the same database, alternating, and compared round by round; and the memory that one request for a large page takes.
 * A desktop and a model are configured; one task holds the desktop all the while, as it does for users while the agent works.
 * `node bench/http.ts [part of a route's name]`; the results of a full run are in bench/results/http.json.
 */

const rounds = 5
const roundMs = 1_000
const warmUpMs = 4_000
const only = process.argv[2] ?? ""

interface Route extends Question {
  readonly name: string
  /** Of two databases, the one with a million tasks; else with a thousand. */
  readonly isOfMany?: boolean
  /** Large answers are asked for 1 and 4 at a time, others 1 and 32. */
  readonly isLarge?: boolean
  /** Least throughput ÷ the baseline's, one at a time and several at a time; a route without it is reported only. */
  readonly targets?: readonly [number, number]
}

const routes: ReadonlyArray<Route> = [
  { name: "GET /tasks/:id", method: "GET", path: "/tasks/bench", targets: [0.5, 0.7] },
  { name: "GET /tasks?limit=10 of 1,000", method: "GET", path: "/tasks?limit=10", targets: [0.5, 0.7] },
  // A counter kept by triggers against a count of all rows: it says what the counter saves, not how fast the code is.
  {
    name: "GET /tasks?limit=10 of 1,000,000 (a counter against a count)",
    method: "GET",
    path: "/tasks?limit=10",
    isOfMany: true
  },
  {
    name: "POST /tasks",
    method: "POST",
    path: "/tasks",
    body: JSON.stringify({ description: "x", model: { provider: "anthropic", name: "m" } }),
    targets: [0.35, 0.5]
  },
  {
    name: "POST /tasks/:id/messages",
    method: "POST",
    path: "/tasks/written/messages",
    body: '{"message":"hello"}',
    targets: [0.5, 0.7]
  },
  {
    name: "GET processed, 100 messages",
    method: "GET",
    path: "/tasks/bench/messages/processed?limit=100",
    targets: [0.5, 0.7]
  },
  {
    name: "GET messages, 50 × 200 kB",
    method: "GET",
    path: "/tasks/shots50/messages?limit=50",
    isLarge: true,
    targets: [0.5, 0.7]
  },
  {
    name: "GET processed, 300 × 150 kB",
    method: "GET",
    path: "/tasks/shots300/messages/processed?limit=1000&page=1",
    isLarge: true,
    targets: [0.5, 0.7]
  }
]

/** Headers whose values may differ: the tag of a large page is made from less than the page. */
const passing = new Set(["date", "x-request-id", "etag"])

/** Headers that may be absent: PostgreSQL's JSON has blanks, and the service sends a large page in chunks. */
const framing = new Set(["content-length", "transfer-encoding"])

/** Fails where the baseline answers other JSON than the service: it would have less, or more, to do. A new row's ids and times differ. */
const compare = (ours: string, theirs: string, route: Route) =>
  Effect.promise(async () => {
    const answerOf = async (base: string) => {
      const { bytes, headers } = await ask(base, route, true)
      const shown = Object.entries(headers).filter(([name]) => !framing.has(name))
      const lines = shown.map(([name, value]) => `${name}: ${passing.has(name) ? "" : value}`)
      const json = JSON.stringify(JSON.parse(bytes.toString()))
      return [...lines.sort(), route.method === "GET" ? json : json.length].join("\n")
    }
    const [mine, other] = [await answerOf(ours), await answerOf(theirs)]
    if (mine !== other)
      throw new Error(`${route.name}: the baseline answers\n${other.slice(0, 2_000)}\nand not\n${mine.slice(0, 2_000)}`)
  })

const baseline = (url: string) =>
  Effect.acquireRelease(
    Effect.callback<{ readonly url: string; readonly process: ChildProcess }>((resume) => {
      const child = spawn(process.execPath, ["bench/baseline/server.ts", url], { stdio: ["ignore", "pipe", "inherit"] })
      child.stdout.once("data", (port) =>
        resume(Effect.succeed({ url: `http://127.0.0.1:${String(port).trim()}`, process: child }))
      )
    }),
    (server) =>
      Effect.promise(async () => {
        server.process.kill()
        await once(server.process, "exit")
      })
  )

/** Creates a task, and waits until the agent works on it. */
const holdDesktop = (base: string) =>
  Effect.gen(function* () {
    const created = yield* request(base, "POST", "/tasks", {
      description: "Hold the desktop.",
      model: { provider: "anthropic", name: "m" }
    })
    const { id } = decodeTask(created.json)
    yield* until(
      "the task runs",
      Effect.map(request(base, "GET", `/tasks/${id}`), ({ json }) =>
        decodeTask(json).status === "RUNNING" ? true : undefined
      )
    )
  })

/** From now on `VmHWM` is the most memory since now. */
const forgetPeak = (pid: number): void => writeFileSync(`/proc/${pid}/clear_refs`, "5")

/** How many times its size one answer takes in memory, in a server that has just started: the answer is all it is asked for. */
const peakOf = (base: string, pid: number, question: Question) =>
  Effect.promise(async () => {
    for (let index = 0; index < 20; index++) await ask(base, { method: "GET", path: "/tasks/bench" })
    forgetPeak(pid)
    const before = memoryBytes(pid)
    const { bytes } = await ask(base, question, true)
    return (memoryBytes(pid, "VmHWM") - before) / bytes.length
  })

const program = Effect.gen(function* () {
  const dataDir = yield* folder
  const { url } = yield* EmbeddedPostgres.make({ dataDir, database: "bytebot", settings: { max_connections: "90" } })
  const urlOf = (database: string) => {
    const there = new URL(Redacted.value(url))
    there.pathname = `/${database}`
    return there.href
  }
  // The model never answers: the first task keeps the desktop.
  const model = yield* instantServer(() => new Promise(() => {}))
  const desktop = yield* instantServer(() => "{}")
  const variables = (database: string) => ({
    DATABASE_URL: urlOf(database),
    ANTHROPIC_API_KEY: "any",
    ANTHROPIC_BASE_URL: model.url,
    BYTEBOT_DESKTOP_BASE_URL: desktop.url
  })

  /** A database with a service and a baseline on it. */
  const side = Effect.fnUntraced(function* (database: string, tasks: number) {
    const service = yield* serviceProcess(variables(database))
    const sql = yield* PgClient.make({ url: Redacted.make(urlOf(database)), maxConnections: 1 }).pipe(
      Effect.provide(Reactivity.layer)
    )
    yield* Effect.provideService(Effect.andThen(fillTasks(tasks), fillMessages), SqlClient.SqlClient, sql)
    yield* sql`VACUUM ANALYZE`
    yield* holdDesktop(service.url)
    return { ours: service.url, theirs: (yield* baseline(urlOf(database))).url }
  })

  const wanted = routes.filter(({ name }) => name.includes(only))
  const few = yield* side("bytebot", 1_000)
  const many = wanted.some(({ isOfMany }) => isOfMany) ? yield* side("many", 1_000_000) : few
  const results: Array<Record<string, unknown>> = []
  const targets: Array<Target> = []
  for (const route of wanted) {
    const { ours, theirs } = route.isOfMany === true ? many : few
    if (route.isOfMany !== true) yield* compare(ours, theirs, route)
    for (const [index, concurrency] of (route.isLarge === true ? [1, 4] : [1, 32]).entries()) {
      for (const server of [ours, theirs]) yield* Effect.promise(() => load(server, route, concurrency, warmUpMs))
      const measured: Array<Record<"ours" | "theirs", Awaited<ReturnType<typeof load>>>> = []
      for (let round = 0; round < rounds; round++) {
        measured.push({
          ours: yield* Effect.promise(() => load(ours, route, concurrency, roundMs)),
          theirs: yield* Effect.promise(() => load(theirs, route, concurrency, roundMs))
        })
      }
      const throughput = spread(measured.map(({ ours, theirs }) => ours.rate / theirs.rate))
      const p99 = spread(measured.map(({ ours, theirs }) => ours.p99 / theirs.p99))
      const rates = [
        median(measured.map(({ ours }) => ours.rate)),
        median(measured.map(({ theirs }) => theirs.rate))
      ] as const
      results.push({ route: route.name, concurrency, ours: rates[0], baseline: rates[1], throughput, p99 })
      yield* say(
        `${route.name}, ${concurrency} at a time: ${rates[0].toFixed(0)} and ${rates[1].toFixed(0)} per second; throughput ${inWords(throughput, 2)}, p99 ${inWords(p99, 2)}`
      )
      const least = route.targets?.[index]
      if (least === undefined) continue
      targets.push({
        what: `${route.name}, ${concurrency} at a time: the baseline's throughput ÷ ours`,
        reached: 1 / throughput.median,
        atMost: 1 / least
      })
    }
  }
  for (const route of wanted.filter(({ isLarge }) => isLarge)) {
    const ours: Array<number> = []
    const theirs: Array<number> = []
    for (let round = 0; round < 3; round++) {
      yield* Effect.scoped(
        Effect.gen(function* () {
          const service = yield* serviceProcess(variables("bytebot"))
          ours.push(yield* peakOf(service.url, service.pid, route))
        })
      )
      yield* Effect.scoped(
        Effect.gen(function* () {
          const other = yield* baseline(urlOf("bytebot"))
          theirs.push(yield* peakOf(other.url, other.process.pid ?? 0, route))
        })
      )
    }
    results.push({ route: route.name, memory: spread(ours), memoryOfBaseline: spread(theirs) })
    yield* say(
      `${route.name}: memory of one request ÷ its answer ${inWords(spread(ours), 2)}, the baseline's ${inWords(spread(theirs), 2)}`
    )
    targets.push({ what: `${route.name}: memory ÷ answer`, reached: median(ours), atMost: 2 })
  }
  if (only === "") yield* conclude("http", { results }, targets)
}).pipe(Effect.scoped)

NodeRuntime.runMain(program)
