import { mkdtemp, rm } from "node:fs/promises"
import { Agent, request } from "node:http"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { NodeRuntime } from "@effect/platform-node"
import { Effect, Redacted } from "effect"
import * as EmbeddedPostgres from "../src/database/EmbeddedPostgres.ts"
import { decodeTask, request as ask } from "../test/support/RestClient.ts"
import { instantServer } from "./instant.ts"
import { say } from "./report.ts"
import { serviceProcess } from "./serviceProcess.ts"
import { inWords, spread } from "./statistics.ts"
import { conclude } from "./verdict.ts"

/**
 * What tracing costs: a service that sends its telemetry to a collector, which swallows it, against one without, on databases of the same
 * server and alternating.
 */

const rounds = 8
const roundMs = 2_500
const concurrency = 32

const newTask = JSON.stringify({
  description: "x",
  scheduledFor: "2099-01-01T00:00:00Z",
  model: { provider: "anthropic", name: "m" }
})

const once = (agent: Agent, url: string, body: string | undefined): Promise<void> =>
  new Promise((resolve, reject) => {
    const headers =
      body === undefined ? {} : { "content-type": "application/json", "content-length": Buffer.byteLength(body) }
    const outgoing = request(url, { method: body === undefined ? "GET" : "POST", agent, headers }, (answer) => {
      answer.resume()
      answer.on("end", () =>
        (answer.statusCode ?? 500) < 300 ? resolve() : reject(new Error(`${url}: ${answer.statusCode}`))
      )
    })
    outgoing.on("error", reject)
    outgoing.end(body)
  })

/** Answers per second, and ms of the service's own time per answer. */
const rate = async (agent: Agent, url: string, body: string | undefined, cpu: () => number) => {
  const begun = performance.now()
  const before = cpu()
  let count = 0
  await Promise.all(
    Array.from({ length: concurrency }, async () => {
      for (; performance.now() - begun < roundMs; count++) await once(agent, url, body)
    })
  )
  return { rate: (count * 1000) / (performance.now() - begun), cpu: (cpu() - before) / count }
}

const program = Effect.gen(function* () {
  const dataDir = yield* Effect.acquireRelease(
    Effect.promise(() => mkdtemp(join(tmpdir(), "bytebot-bench-"))),
    (folder) => Effect.promise(() => rm(folder, { recursive: true, force: true }))
  )
  const { url } = yield* EmbeddedPostgres.make({ dataDir, database: "bytebot", settings: { max_connections: "60" } })
  const databaseUrl = (name: string) => {
    const database = new URL(Redacted.value(url))
    database.pathname = `/${name}`
    return database.href
  }
  let received = 0
  const collector = yield* instantServer((body) => {
    received += body.length
    return "{}"
  })
  const services = {
    plain: yield* serviceProcess({ DATABASE_URL: databaseUrl("plain") }),
    traced: yield* serviceProcess({
      DATABASE_URL: databaseUrl("traced"),
      OTEL_EXPORTER_OTLP_ENDPOINT: collector.url
    })
  }
  const paths = { plain: "", traced: "" }
  for (const name of ["plain", "traced"] as const) {
    const { json } = yield* ask(services[name].url, "POST", "/tasks", JSON.parse(newTask))
    paths[name] = `/tasks/${decodeTask(json).id}`
  }
  const agent = new Agent({ keepAlive: true, maxSockets: 2 * concurrency })
  const measure = (name: "plain" | "traced", route: string) =>
    Effect.promise(() =>
      route === "POST /tasks"
        ? rate(agent, `${services[name].url}/tasks`, newTask, services[name].cpu)
        : rate(agent, `${services[name].url}${paths[name]}`, undefined, services[name].cpu)
    )
  const results: Record<string, { readonly lost: ReturnType<typeof spread>; readonly cpu: ReturnType<typeof spread> }> =
    {}
  for (const route of ["GET /tasks/:id", "POST /tasks"]) {
    const lost: Array<number> = []
    const cpu: Array<number> = []
    for (let round = -2; round < rounds; round++) {
      const order = round % 2 === 0 ? (["plain", "traced"] as const) : (["traced", "plain"] as const)
      const measured = { [order[0]]: yield* measure(order[0], route), [order[1]]: yield* measure(order[1], route) }
      const { plain, traced } = measured
      // The first rounds warm up.
      if (round < 0 || plain === undefined || traced === undefined) continue
      lost.push(100 * (1 - traced.rate / plain.rate))
      cpu.push(100 * (traced.cpu / plain.cpu - 1))
    }
    results[route] = { lost: spread(lost), cpu: spread(cpu) }
    yield* say(
      `${route}: throughput lost by tracing, %: ${inWords(spread(lost), 1)}; more time of the service per request, %: ${inWords(spread(cpu), 1)}`
    )
  }
  agent.destroy()
  yield* say(`the collector took ${Math.round(received / 1e6)} MB`)
  yield* conclude(
    "tracing",
    { routes: results, received },
    Object.entries(results).map(([route, { lost }]) => ({
      what: `${route}: throughput lost by tracing, %`,
      reached: lost.median,
      atMost: 10
    }))
  )
}).pipe(Effect.scoped)

NodeRuntime.runMain(program)
