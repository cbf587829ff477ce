import { assert, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import * as Anthropic from "../emulators/anthropic.ts"
import * as Collector from "../emulators/collector.ts"
import * as Desktop from "../emulators/desktop.ts"
import { decodeTask, request } from "../support/RestClient.ts"
import { freePort, spawnService, untilReady } from "../support/ServiceProcess.ts"
import { migrated } from "../support/TestDatabase.ts"
import { until } from "../support/Waiting.ts"

/** What the service writes while it works, as a process whose output nobody looks at on a terminal. */

const decodeLine = Schema.decodeUnknownSync(
  Schema.fromJsonString(
    Schema.Struct({
      level: Schema.String,
      message: Schema.Unknown,
      annotations: Schema.Record(Schema.String, Schema.Unknown)
    })
  )
)

const secrets = {
  ANTHROPIC_API_KEY: "planted-key",
  OTEL_EXPORTER_OTLP_HEADERS: "authorization=planted-header"
}

it.live(
  "one line of JSON for each request and step, with ids, and nothing secret",
  () =>
    Effect.gen(function* () {
      const model = yield* Anthropic.scoped()
      const desktop = yield* Desktop.scoped()
      const collector = yield* Collector.scoped()
      model.enqueue(
        {
          content: [
            { type: "tool_use", name: "computer_type_text", input: { text: "planted-password", isSensitive: true } }
          ]
        },
        { content: [{ type: "tool_use", name: "set_task_status", input: { status: "completed", description: "d" } }] }
      )
      const service = yield* spawnService(yield* freePort, {
        ...secrets,
        DATABASE_URL: yield* migrated,
        ANTHROPIC_BASE_URL: model.url,
        BYTEBOT_DESKTOP_BASE_URL: desktop.url,
        OTEL_EXPORTER_OTLP_ENDPOINT: collector.url
      })
      yield* untilReady(service)

      const traceId = "4bf92f3577b34da6a3ce929d0e0e4736"
      const created = yield* Effect.promise(async () => {
        const response = await fetch(`${service.url}/tasks`, {
          method: "POST",
          headers: {
            "content-type": "application/json",
            "x-request-id": "from-the-proxy",
            traceparent: `00-${traceId}-00f067aa0ba902b7-01`
          },
          body: JSON.stringify({ description: "planted-description" })
        })
        return { requestId: response.headers.get("x-request-id"), json: await response.json() }
      })
      assert.strictEqual(created.requestId, "from-the-proxy")
      const { id } = decodeTask(created.json)
      yield* until(
        "the task is completed",
        Effect.map(request(service.url, "GET", `/tasks/${id}`), ({ json }) =>
          decodeTask(json).status === "COMPLETED" ? true : undefined
        )
      )
      const odd = yield* Effect.promise(() =>
        fetch(`${service.url}/nowhere?token=planted-token`, { headers: { "x-request-id": 'a"b c' } })
      )
      assert.match(odd.headers.get("x-request-id") ?? "", /^[0-9a-f-]{36}$/)
      service.signal("SIGTERM")
      assert.strictEqual(yield* service.ended, 0)

      const lines = service
        .output()
        .split("\n")
        .filter((line) => line !== "")
        .map((line) => decodeLine(line))
      const about = (message: string) => lines.filter((line) => line.message === message)
      const post = about("Request").filter(({ annotations }) => annotations.method === "POST")
      assert.strictEqual(post.length, 1)
      assert.deepInclude(post[0]?.annotations, {
        route: "/tasks",
        status: 201,
        requestId: "from-the-proxy",
        traceId
      })
      assert.isNumber(post[0]?.annotations.durationMs)
      assert.isEmpty(about("Request").filter(({ annotations }) => String(annotations.route).includes("health")))
      assert.deepInclude(about("Request").find(({ annotations }) => annotations.status === 404)?.annotations, {
        route: "unmatched"
      })
      const steps = [...about("Model answered"), ...about("Tool done")]
      assert.strictEqual(steps.length, 4)
      for (const { annotations, level } of steps) {
        assert.strictEqual(level, "INFO")
        assert.deepInclude(annotations, { taskId: id, traceId })
      }
      assert.notInclude(service.output(), "planted")
      assert.notMatch(service.output(), /[A-Za-z0-9+/]{200}/)
      const sent = JSON.stringify([collector.spans, collector.logs], (_, value: unknown) =>
        typeof value === "bigint" ? String(value) : value
      )
      for (const secret of ["planted-key", "planted-header", "planted-password", "planted-token"]) {
        assert.notInclude(sent, secret)
      }
      assert.notMatch(sent, /[A-Za-z0-9+/]{400}/)
      assert.isTrue(collector.logs.some((line) => line.traceId === traceId))
    }).pipe(Effect.scoped),
  60_000
)

it.live(
  "one warning for a daemon without input tracking, however often it is asked",
  () =>
    Effect.gen(function* () {
      const model = yield* Anthropic.scoped()
      const desktop = yield* Desktop.scoped()
      desktop.fault({ match: "POST /input-tracking/start", status: 404, times: 100 })
      model.enqueue({
        content: [{ type: "tool_use", name: "set_task_status", input: { status: "needs_help", description: "d" } }]
      })
      const service = yield* spawnService(yield* freePort, {
        ANTHROPIC_API_KEY: "planted-key",
        DATABASE_URL: yield* migrated,
        ANTHROPIC_BASE_URL: model.url,
        BYTEBOT_DESKTOP_BASE_URL: desktop.url
      })
      yield* untilReady(service)
      assert.strictEqual((yield* request(service.url, "POST", "/tasks", { description: "d" })).status, 201)
      yield* Effect.promise(() => desktop.waitForRequest("POST /input-tracking/start", 3, 60_000))
      assert.lengthOf(service.output().split("Input tracking did not change"), 2)
    }),
  90_000
)
