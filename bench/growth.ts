import { Agent, request } from "node:http"
import { NodeRuntime } from "@effect/platform-node"
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import { PgClient } from "@effect/sql-pg"
import { Context, Effect, Layer, Option, Redacted, Schema } from "effect"
import { Reactivity } from "effect/reactivity"
import { SqlClient } from "effect/sql"
import { Analytics } from "../src/analytics/Analytics.ts"
import { Settings } from "../src/config/Settings.ts"
import { defaultValues } from "../src/config/SettingsTable.ts"
import { poolLayer } from "../src/database/DatabaseConnection.ts"
import * as EmbeddedPostgres from "../src/database/EmbeddedPostgres.ts"
import { parsePostgresUrl } from "../src/database/PostgresUrl.ts"
import { BrokenRuns } from "../src/tasks/BrokenRuns.ts"
import { TaskRuns } from "../src/tasks/TaskRuns.ts"
import { addClaimable, claimable, claimedDesktop, fill, messagesPerTask } from "./growthData.ts"
import { say } from "./report.ts"
import { folder, serviceProcess } from "./serviceProcess.ts"
import { inWords, median, spread } from "./statistics.ts"
import { conclude } from "./verdict.ts"

/**
 * How much slower each endpoint answers with a million tasks than with a thousand (five messages each): two services on two databases of one server,
 * asked in turns, one request at a time. `node bench/growth.ts [tasks in the large database] [part of a name]`; the results of a full run
 * are in bench/results/growth.json. With GROWTH_DATA, a folder, the databases are kept there for the next run.
 */

const small = 1_000
const large = Number(process.argv[2] ?? 1_000_000)
const only = process.argv[3] ?? ""
const rounds = 7

/** Requests of a round, fewer where they take longer than so many milliseconds together. */
const [samples, fewestSamples, roundMs] = [20, 3, 500]

/** A database with its service. */
interface Side {
  readonly url: string
  readonly tasks: number
  readonly runs: Context.Service.Shape<typeof TaskRuns>
  /** A page in the middle of the list, as `next` tells it. */
  readonly middle: string
}

interface Answer {
  readonly text: string
  readonly ms: number
}

const agent = new Agent({ keepAlive: true })

/** One answer, read to its end, or to its first piece where it has none; fails unless it is a success. */
const ask = (url: string, method: string, path: string, body?: object, upTo: "end" | "data" = "end"): Promise<Answer> =>
  new Promise((resolve, reject) => {
    const text = body === undefined ? "" : JSON.stringify(body)
    const begun = performance.now()
    const headers = body === undefined ? {} : { "content-type": "application/json" }
    const outgoing = request(
      `${url}${path}`,
      { method, agent, headers: { ...headers, "content-length": Buffer.byteLength(text) } },
      (answer) => {
        const pieces: Array<Buffer> = []
        answer.on("error", reject)
        answer.on("data", (piece) => {
          pieces.push(piece)
          if (upTo === "end") return
          resolve({ text: "", ms: performance.now() - begun })
          outgoing.destroy()
        })
        answer.on("end", () =>
          (answer.statusCode ?? 500) < 300
            ? resolve({ text: Buffer.concat(pieces).toString(), ms: performance.now() - begun })
            : reject(new Error(`${method} ${path}: ${answer.statusCode} ${Buffer.concat(pieces)}`))
        )
      }
    )
    outgoing.on("error", reject)
    outgoing.end(text)
  })

const decodeId = Schema.decodeUnknownSync(Schema.fromJsonString(Schema.Struct({ id: Schema.String })))
const decodeMiddle = Schema.decodeUnknownSync(Schema.Struct({ middle: Schema.String }))

const model = { provider: "anthropic", name: "m" }
const newTask = { description: "Write a report", scheduledFor: "2099-01-01T00:00:00Z", model }

/** What is measured: milliseconds of the n-th time on a side. */
interface Measured {
  readonly name: string
  readonly run: (side: Side, n: number) => Promise<number>
}

/** A task of those there are, spread over all of them; those of a round are asked for in all rounds. */
const anyTask = ({ tasks }: Side, n: number) => `/tasks/task-${1 + ((n * 7_368_787) % (tasks - claimable))}`

const get = (name: string, path: (side: Side, n: number) => string): Measured => ({
  name,
  run: async (side, n) => (await ask(side.url, "GET", path(side, n))).ms
})
/** A page of as many tasks as both sides have. */
const list = (name: string, query: string, limit = 10) =>
  get(`GET /tasks, ${name}`, () => `/tasks?limit=${limit}${query}`)

/** A command on a new task, after those before it. */
const command = (name: string, ...before: ReadonlyArray<string>): Measured => ({
  name: `POST /tasks/:id/${name}`,
  run: async ({ url }) => {
    const { id } = decodeId((await ask(url, "POST", "/tasks", newTask)).text)
    for (const earlier of before) await ask(url, "POST", `/tasks/${id}/${earlier}`)
    const { ms } = await ask(url, "POST", `/tasks/${id}/${name}`)
    await ask(url, "DELETE", `/tasks/${id}`)
    return ms
  }
})

/** Claims and completes a task in this process, as a worker of the service does. */
const claim: Measured = {
  name: "claim and end of a task",
  run: async ({ runs }) =>
    Effect.runPromise(
      Effect.gen(function* () {
        const owner = yield* runs.own(claimedDesktop, "bench")
        const begun = performance.now()
        const claimed = yield* runs.claim(owner)
        if (Option.isNone(claimed)) return yield* Effect.die("no task is left to be claimed")
        yield* runs.finish(claimed.value.lease, { status: "COMPLETED", description: "done" })
        return performance.now() - begun
      })
    )
}

const everything: ReadonlyArray<Measured> = [
  get("GET /tasks/:id", anyTask),
  get("GET /tasks/in-progress", () => "/tasks/in-progress"),
  list("first page", ""),
  list("status=COMPLETED (90 %)", "&status=COMPLETED"),
  list("status=RUNNING (0.1 %), one task", "&status=RUNNING", 1),
  list("statuses=PENDING,RUNNING,NEEDS_HELP,NEEDS_REVIEW (1 %)", "&statuses=PENDING,RUNNING,NEEDS_HELP,NEEDS_REVIEW"),
  list("statuses=COMPLETED,FAILED,CANCELLED (99 %)", "&statuses=COMPLETED,FAILED,CANCELLED"),
  list("priority=URGENT (5 %)", "&priority=URGENT"),
  list("type=SCHEDULED (10 %)", "&type=SCHEDULED"),
  list("createdBy=ASSISTANT (10 %)", "&createdBy=ASSISTANT"),
  list(
    "status=COMPLETED, priority=URGENT, createdBy=ASSISTANT (0.4 %), one task",
    "&status=COMPLETED&priority=URGENT&createdBy=ASSISTANT",
    1
  ),
  list("conditions that no task has", "&priority=URGENT&createdBy=ASSISTANT&type=SCHEDULED"),
  get("GET /tasks, after a cursor in the middle", ({ middle }) => `/tasks?limit=10&after=${middle}`),
  get("GET /tasks, status=FAILED after that cursor", ({ middle }) => `/tasks?limit=10&status=FAILED&after=${middle}`),
  // Of the longer numbers: none of them begins another.
  get(
    "GET /tasks, q=word of one task",
    ({ tasks }, n) => `/tasks?limit=10&q=${tasks / 10 + ((n * 7_368_787) % (0.9 * tasks - claimable))}`
  ),
  list("q=invoice (1 %)", "&q=invoice"),
  list("q=report (100 %)", "&q=report"),
  { name: "POST /tasks", run: async ({ url }) => (await ask(url, "POST", "/tasks", newTask)).ms },
  {
    name: "PATCH /tasks/:id",
    run: async (side, n) =>
      (await ask(side.url, "PATCH", anyTask(side, n), { priority: n % 2 === 0 ? "HIGH" : "LOW" })).ms
  },
  {
    name: "POST /tasks/:id/messages",
    run: async (side, n) => (await ask(side.url, "POST", `${anyTask(side, n)}/messages`, { message: "hello" })).ms
  },
  get("GET /tasks/:id/messages", (side, n) => `${anyTask(side, n)}/messages`),
  get("GET /tasks/:id/messages/processed", (side, n) => `${anyTask(side, n)}/messages/processed`),
  get("GET /tasks/:id/usage", (side, n) => `${anyTask(side, n)}/usage`),
  command("takeover"),
  command("resume", "takeover"),
  command("cancel"),
  claim,
  get("GET /desktops", () => "/desktops"),
  get("GET /health", () => "/health"),
  get("GET /metrics", () => "/metrics"),
  {
    name: "GET /tasks/:id/events, to the first bytes",
    run: async (side, n) => (await ask(side.url, "GET", `${anyTask(side, n)}/events`, undefined, "data")).ms
  }
]

/** Two desktops that nobody answers for: they are listed, and tasks are placed on them, but none runs. */
const desktops = "a=http://127.0.0.1:1,b=http://127.0.0.1:2"

const prepare = Effect.fnUntraced(function* (server: string, database: string, tasks: number) {
  const url = new URL(server)
  url.pathname = `/${database}`
  const service = yield* serviceProcess({ DATABASE_URL: url.href, BYTEBOT_DESKTOP_BASE_URL: desktops })
  const client = yield* PgClient.make({ url: Redacted.make(url.href), maxConnections: 1 }).pipe(
    Effect.provide(Reactivity.layer)
  )
  if ((yield* client`SELECT 1 FROM "Task" LIMIT 1`).length === 0) {
    const begun = performance.now()
    yield* Effect.provideService(fill(tasks), SqlClient.SqlClient, client)
    const seconds = ((performance.now() - begun) / 1000).toFixed(0)
    yield* say(`${tasks} tasks, ${tasks * messagesPerTask} messages: filled in ${seconds} s`)
  }
  yield* Effect.provideService(addClaimable, SqlClient.SqlClient, client)
  const [row] = yield* client`
    SELECT (extract(epoch FROM "createdAt") * 1000)::bigint || '-' || "position" AS middle FROM "Task" WHERE "id" = ${`task-${tasks / 2}`}`
  const { middle } = decodeMiddle(row)
  const built = yield* Layer.build(
    TaskRuns.layer.pipe(
      Layer.provide(BrokenRuns.layer),
      Layer.provide(Analytics.layer),
      Layer.provide(NodeHttpClient.layerNodeHttp),
      Layer.provide(Settings.layerFrom({})),
      Layer.provide(poolLayer(yield* parsePostgresUrl(Redacted.make(url.href)), defaultValues))
    )
  )
  return { url: service.url, tasks, runs: Context.get(built, TaskRuns), middle } satisfies Side
})

const program = Effect.gen(function* () {
  const dataDir = process.env.GROWTH_DATA ?? (yield* folder)
  const { url } = yield* EmbeddedPostgres.make({
    dataDir,
    database: "few",
    settings: { max_connections: "80", max_wal_size: "8GB" }
  })
  const few = yield* prepare(Redacted.value(url), "few", small)
  const many = yield* prepare(Redacted.value(url), "many", large)
  yield* say("endpoint; p50 with few, ms; p50 with many, ms; many ÷ few (least to most of the rounds)")
  const results: Array<{ readonly name: string; readonly ratio: ReturnType<typeof spread> }> = []
  for (const { name, run } of everything.filter(({ name }) => name.includes(only))) {
    const p50 = (side: Side, round: number) =>
      Effect.promise(async () => {
        const times: Array<number> = []
        const begun = performance.now()
        while (times.length < fewestSamples || (times.length < samples && performance.now() - begun < roundMs)) {
          times.push(await run(side, times.length + Math.abs(round % 2)))
        }
        return median(times)
      })
    const measured: Array<{ readonly few: number; readonly many: number }> = []
    for (let round = -1; round < rounds; round++) {
      const both = { few: yield* p50(few, round), many: yield* p50(many, round) }
      // The first round warms up.
      if (round >= 0) measured.push(both)
    }
    const ratios = measured.map((both) => both.many / both.few)
    const row = {
      name,
      few: median(measured.map((both) => both.few)),
      many: median(measured.map((both) => both.many)),
      ratio: spread(ratios)
    }
    results.push(row)
    yield* say(`${name}; ${row.few.toFixed(2)}; ${row.many.toFixed(2)}; ${inWords(row.ratio, 2)}`)
  }
  if (large !== 1_000_000 || only !== "") return
  yield* conclude(
    "growth",
    { small, large, messagesPerTask, results },
    results.map(({ name, ratio }) => ({ what: name, reached: ratio.median, atMost: 1.5 }))
  )
}).pipe(Effect.scoped)

NodeRuntime.runMain(program)
