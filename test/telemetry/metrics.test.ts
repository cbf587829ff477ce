import { readFileSync } from "node:fs"
import { assert, it } from "@effect/vitest"
import { Effect, Layer, Schema } from "effect"
import { io } from "socket.io-client"
import type { ReplyBlock } from "../emulators/modelReplies.ts"
import { createTask, Stage, untilStatus } from "../support/Stage.ts"
import { until } from "../support/Waiting.ts"
import { complaints } from "./promlint.ts"
import { collected } from "./TracedStage.ts"

/** What Prometheus and Grafana see of a service at work. */

const decodeDashboard = Schema.decodeUnknownSync(
  Schema.fromJsonString(
    Schema.Struct({
      panels: Schema.Array(
        Schema.Struct({ title: Schema.String, targets: Schema.Array(Schema.Struct({ expr: Schema.String })) })
      )
    })
  )
)
const dashboard = decodeDashboard(
  readFileSync(new URL("../../deploy/grafana/bytebot-agent.json", import.meta.url), "utf8")
)

/** Names of metrics in a query: what stands before its labels or its range, or alone, and is no function or keyword. */
const namesIn = (expr: string): ReadonlyArray<string> =>
  [...expr.replaceAll(/by \([^)]*\)|"[^"]*"|\{[^}]*\}|\[[^\]]*\]/g, "").matchAll(/[a-z]\w*_\w+(?!\w*\s*\()/g)]
    .map(([name]) => name)
    .filter((name) => name !== "histogram_quantile")

interface Sample {
  readonly name: string
  readonly labels: string
  readonly value: number
}

const samplesOf = (text: string): ReadonlyArray<Sample> =>
  text.split("\n").flatMap((line) => {
    const [, name, labels = "", value] = /^(\w+)(?:\{(.*)\})? (\S+)$/.exec(line) ?? []
    return name === undefined ? [] : [{ name, labels, value: Number(value) }]
  })

const scrape = (path: string) =>
  Effect.gen(function* () {
    const { url } = yield* Stage
    return samplesOf(yield* Effect.promise(() => fetch(`${url}${path}`).then((response) => response.text())))
  })

const use = (name: string, input: Readonly<Record<string, Schema.Json>>): ReplyBlock => ({
  type: "tool_use",
  name,
  input
})
const complete = { content: [use("set_task_status", { status: "completed", description: "done" })] }

/** Two tasks, of which one waits for the other; a model that is busy once; a client that watches; a path that leads nowhere. */
const work = Effect.gen(function* () {
  const { desktop, model, url } = yield* Stage
  const socket = io(url, { transports: ["websocket"], forceNew: true })
  yield* Effect.addFinalizer(() => Effect.sync(() => socket.disconnect()))
  yield* until(
    "the socket is connected",
    Effect.sync(() => (socket.connected ? true : undefined))
  )
  model.enqueue(
    { status: 529, error: { type: "overloaded_error", message: "busy" } },
    { content: [use("computer_click_mouse", { button: "left", clickCount: 1 })] },
    complete,
    complete
  )
  const release = desktop.hold("click_mouse")
  const first = yield* createTask("first")
  yield* Effect.promise(() => desktop.waitForRequest("click_mouse"))
  const second = yield* createTask("second")
  yield* Effect.promise(() => fetch(`${url}/nowhere/${first}`).then((response) => response.text()))
  const busy = yield* until(
    "the second task is counted as waiting",
    Effect.map(scrape("/metrics"), (samples) =>
      samples.some(({ name, value }) => name === "bytebot_queue_length" && value === 1) ? samples : undefined
    )
  )
  release()
  yield* untilStatus(first, "COMPLETED")
  yield* untilStatus(second, "COMPLETED")
  return { busy, done: yield* scrape("/api/metrics"), ids: [first, second] }
}).pipe(Effect.scoped)

it.live(
  "every metric of the dashboard exists and moves; labels hold no ids and no paths",
  () =>
    Effect.gen(function* () {
      const { collector, result } = yield* collected({}, () => work)
      const { busy, done, ids } = result
      const wanted = new Set(dashboard.panels.flatMap(({ targets }) => targets.flatMap(({ expr }) => namesIn(expr))))
      assert.isAbove(wanted.size, 15)
      for (const name of wanted) {
        const seen = [...busy, ...done].filter((sample) => sample.name === name)
        assert.isNotEmpty(seen, `${name} exists`)
        assert.isTrue(
          seen.some(({ value }) => value > 0),
          `${name} moves`
        )
      }
      const labels = [...busy, ...done].map((sample) => sample.labels).join("\n")
      for (const unbounded of [...ids, "nowhere", "127.0.0.1"]) assert.notInclude(labels, unbounded)
      assert.include(labels, 'http_route="/tasks/:id"')
      const unmatched = done.find(({ name, labels: of }) => name.endsWith("_count") && of.includes("unmatched"))
      assert.include(unmatched?.labels, 'http_response_status_code="404"')
      const valueOf = (name: string, label: string) =>
        done.find((sample) => sample.name === name && sample.labels.includes(label))?.value
      assert.strictEqual(valueOf("bytebot_tasks_ended_total", "COMPLETED"), 2)
      assert.strictEqual(valueOf("bytebot_iterations_total", ""), 3)
      assert.strictEqual(valueOf("gen_ai_client_operation_duration_seconds_count", 'outcome="Overloaded"'), 1)
      assert.strictEqual(valueOf("bytebot_model_retries_total", "Overloaded"), 1)
      // The same metrics, by the names of OpenTelemetry.
      assert.includeMembers([...collector.metrics.keys()], ["http.server.request.duration", "bytebot.model.tokens"])
    }).pipe(Effect.scoped),
  60_000
)

it.live(
  "metrics have the names and descriptions that Prometheus's conventions ask for",
  () =>
    Effect.gen(function* () {
      const { result } = yield* collected({}, () =>
        Effect.gen(function* () {
          yield* work
          const { url } = yield* Stage
          return yield* Effect.promise(() => fetch(`${url}/metrics`).then((response) => response.text()))
        })
      )
      assert.deepStrictEqual(complaints(result), [])
      const bad =
        '# TYPE a_millis_gauge_ms gauge\na_millis_gauge_ms{le="1",aB="2"} 1\n# HELP b_count x\n# TYPE b_count counter\n'
      assert.deepStrictEqual(complaints(bad), [
        "a_millis_gauge_ms: no help text",
        'a_millis_gauge_ms: only histograms have a label "le"',
        "a_millis_gauge_ms: no types in names",
        "a_millis_gauge_ms: snake_case",
        "a_millis_gauge_ms: no abbreviated units",
        'b_count: counters end in "_total"',
        'b_count: only histograms and summaries end in "_count" and "_sum"'
      ])
    }).pipe(Effect.scoped),
  60_000
)

it.live("metrics are a service's own", () =>
  Effect.gen(function* () {
    const services = yield* Layer.build(Stage.layer())
    const fresh = yield* Effect.provide(scrape("/metrics"), services)
    assert.isEmpty(fresh.filter(({ name }) => name === "bytebot_iterations_total"))
    assert.isNotEmpty(fresh.filter(({ name }) => name === "process_memory_usage_bytes"))
  }).pipe(Effect.scoped)
)
