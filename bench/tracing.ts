import { NodeRuntime } from "@effect/platform-node"
import { Effect, Redacted } from "effect"
import * as EmbeddedPostgres from "../src/database/EmbeddedPostgres.ts"
import { request as ask, decodeTask } from "../test/support/RestClient.ts"
import { load, type Question } from "./http/client.ts"
import { instantServer } from "./instant.ts"
import { say } from "./report.ts"
import { folder, serviceProcess } from "./serviceProcess.ts"
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

/** Answers per second, and ms of the service's own time per answer. */
const rate = async (base: string, question: Question, cpu: () => number) => {
  const before = cpu()
  const { count, rate } = await load(base, question, concurrency, roundMs)
  return { rate, cpu: (cpu() - before) / count }
}

const program = Effect.gen(function* () {
  const dataDir = yield* folder
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
  const desktop = yield* instantServer(() => "{}")
  const services = {
    plain: yield* serviceProcess({ DATABASE_URL: databaseUrl("plain"), BYTEBOT_DESKTOP_BASE_URL: desktop.url }),
    traced: yield* serviceProcess({
      DATABASE_URL: databaseUrl("traced"),
      BYTEBOT_DESKTOP_BASE_URL: desktop.url,
      OTEL_EXPORTER_OTLP_ENDPOINT: collector.url
    })
  }
  const paths = { plain: "", traced: "" }
  for (const name of ["plain", "traced"] as const) {
    const { json } = yield* ask(services[name].url, "POST", "/tasks", JSON.parse(newTask))
    paths[name] = `/tasks/${decodeTask(json).id}`
  }
  const measure = (name: "plain" | "traced", route: string) =>
    Effect.promise(() =>
      rate(
        services[name].url,
        route === "POST /tasks"
          ? { method: "POST", path: "/tasks", body: newTask }
          : { method: "GET", path: paths[name] },
        services[name].cpu
      )
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
