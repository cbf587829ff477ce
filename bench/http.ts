import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { writeFileSync } from "node:fs"
import { NodeRuntime } from "@effect/platform-node"
import { PgClient } from "@effect/sql-pg"
import { Effect, Redacted } from "effect"
import { Reactivity } from "effect/reactivity"
import { SqlClient } from "effect/sql"
import * as EmbeddedPostgres from "../src/database/EmbeddedPostgres.ts"
import { ask, load, type Question } from "./http/client.ts"
import { fillMessages, fillTasks } from "./http/data.ts"
import { say } from "./report.ts"
import { folder, memoryBytes, serviceProcess } from "./serviceProcess.ts"
import { inWords, median, spread } from "./statistics.ts"
import { conclude, type Target } from "./verdict.ts"

/**
 * Throughput and slowest answers of the REST routes against the least code that answers the same bytes (bench/baseline/server.ts): both as processes
 * of their own, on the same database, alternating, and compared round by round; and the memory that one request for a large page takes.
 * `node bench/http.ts [part of a route's name]`; the results of a full run are in bench/results/http.json.
 */

const rounds = 15
const roundMs = 400
const only = process.argv[2] ?? ""

interface Route extends Question {
  readonly name: string
  /** Of two databases, the one with a million tasks; else with a thousand. */
  readonly isOfMany?: boolean
  /** Where the baseline has it, if elsewhere: then its bytes differ in blanks. */
  readonly baselinePath?: string
  /** Large answers are not asked for 128 at a time. */
  readonly isLarge?: boolean
}

const routes: ReadonlyArray<Route> = [
  { name: "GET /tasks/:id", method: "GET", path: "/tasks/bench" },
  { name: "GET /tasks?limit=10 of 1,000", method: "GET", path: "/tasks?limit=10" },
  { name: "GET /tasks?limit=10 of 1,000,000", method: "GET", path: "/tasks?limit=10", isOfMany: true },
  {
    name: "POST /tasks",
    method: "POST",
    path: "/tasks",
    body: JSON.stringify({
      description: "x",
      scheduledFor: "2099-01-01T00:00:00.000Z",
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

/** Headers whose values may differ; the tag of a page of messages is made from less than the page. */
const passing = new Set(["date", "x-request-id", "etag"])

/** Fails where the baseline answers other bytes than the service: it would have less, or more, to do. A new row's id and time differ. */
const compare = (ours: string, theirs: string, route: Route) =>
  Effect.promise(async () => {
    const shown = async (base: string) => {
      const { bytes, headers } = await ask(base, route, true)
      const lines = Object.entries(headers).map(([name, value]) => `${name}: ${passing.has(name) ? "" : value}`)
      return [...lines.sort(), route.method === "GET" ? bytes.toString() : bytes.length].join("\n")
    }
    const [mine, other] = [await shown(ours), await shown(theirs)]
    if (mine !== other) throw new Error(`${route.name}: the baseline answers\n${other}\nand not\n${mine}`)
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
  /** A database with a service and a baseline on it. */
  const side = Effect.fnUntraced(function* (database: string, tasks: number) {
    const service = yield* serviceProcess({ DATABASE_URL: urlOf(database) })
    const sql = yield* PgClient.make({ url: Redacted.make(urlOf(database)), maxConnections: 1 }).pipe(
      Effect.provide(Reactivity.layer)
    )
    yield* Effect.provideService(Effect.andThen(fillTasks(tasks), fillMessages), SqlClient.SqlClient, sql)
    yield* sql`VACUUM ANALYZE`
    return { ours: service.url, theirs: (yield* baseline(urlOf(database))).url }
  })

  const wanted = routes.filter(({ name }) => name.includes(only))
  const few = yield* side("bytebot", 1_000)
  const many = wanted.some(({ isOfMany }) => isOfMany) ? yield* side("many", 1_000_000) : few
  const results: Array<Record<string, unknown>> = []
  const targets: Array<Target> = []
  for (const route of wanted) {
    const { ours, theirs } = route.isOfMany === true ? many : few
    const there = { ...route, path: route.baselinePath ?? route.path }
    if (route.baselinePath === undefined) yield* compare(ours, theirs, route)
    for (const concurrency of route.isLarge === true ? [1, 4] : [1, 32, 128]) {
      const measured: Array<Record<"ours" | "theirs", Awaited<ReturnType<typeof load>>>> = []
      for (let round = -2; round < rounds; round++) {
        const result = {
          ours: yield* Effect.promise(() => load(ours, route, concurrency, roundMs)),
          theirs: yield* Effect.promise(() => load(theirs, there, concurrency, roundMs))
        }
        // The first rounds warm up.
        if (round >= 0) measured.push(result)
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
      const what = `${route.name}, ${concurrency} at a time`
      targets.push({
        what: `${what}: baseline's throughput ÷ ours`,
        reached: 1 / throughput.median,
        atMost: 1 / (route.isLarge === true ? 0.9 : 0.95)
      })
      if (route.isLarge !== true) targets.push({ what: `${what}: p99`, reached: p99.median, atMost: 1.2 })
    }
  }
  for (const route of wanted.filter(({ isLarge }) => isLarge)) {
    const ours: Array<number> = []
    const theirs: Array<number> = []
    for (let round = 0; round < 3; round++) {
      yield* Effect.scoped(
        Effect.gen(function* () {
          const service = yield* serviceProcess({ DATABASE_URL: urlOf("bytebot") })
          ours.push(yield* peakOf(service.url, service.pid, route))
        })
      )
      yield* Effect.scoped(
        Effect.gen(function* () {
          const other = yield* baseline(urlOf("bytebot"))
          const question = { ...route, path: route.baselinePath ?? route.path }
          theirs.push(yield* peakOf(other.url, other.process.pid ?? 0, question))
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
