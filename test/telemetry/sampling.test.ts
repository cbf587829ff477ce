import { assert, it } from "@effect/vitest"
import { Effect, Option } from "effect"
import { samplerOf } from "../../src/observability/Sampler.ts"
import { createTask, Stage, untilStatus } from "../support/Stage.ts"
import { until } from "../support/Waiting.ts"
import { collected } from "./TracedStage.ts"

/** OTEL_TRACES_SAMPLER by OpenTelemetry's specification, and what is never sent. */

const ids = Array.from({ length: 1000 }, (_, index) => {
  const random = Math.floor((index / 1000) * 2 ** 52)
  return `0af7651916cd43dd84${random.toString(16).padStart(13, "0")}0`
})

const shareOf = (name: Parameters<typeof samplerOf>[0]["otelTracesSampler"], arg?: number) => {
  const isSampled = samplerOf({ otelTracesSampler: name, otelTracesSamplerArg: Option.fromNullishOr(arg) })
  return [undefined, true, false].map((remote) => ids.filter((id) => isSampled(id, remote)).length / ids.length)
}

it("samplers decide by root, sampled parent, unsampled parent", () => {
  assert.deepStrictEqual(shareOf("always_on"), [1, 1, 1])
  assert.deepStrictEqual(shareOf("always_off"), [0, 0, 0])
  assert.deepStrictEqual(shareOf("traceidratio", 0.25), [0.25, 0.25, 0.25])
  assert.deepStrictEqual(shareOf("traceidratio"), [1, 1, 1])
  assert.deepStrictEqual(shareOf("traceidratio", 0), [0, 0, 0])
  assert.deepStrictEqual(shareOf("parentbased_always_on"), [1, 1, 0])
  assert.deepStrictEqual(shareOf("parentbased_always_off"), [0, 1, 0])
  assert.deepStrictEqual(shareOf("parentbased_traceidratio", 0.5), [0.5, 1, 0])
})

const complete = {
  content: [{ type: "tool_use", name: "set_task_status", input: { status: "completed", description: "d" } }]
} as const

it.live(
  "an unsampled caller's trace is not sent but passed on; health is never traced; idling makes no spans",
  () =>
    Effect.gen(function* () {
      const { collector, result } = yield* collected({}, ({ spans }) =>
        Effect.gen(function* () {
          const { desktop, model, url } = yield* Stage
          const traceId = "4bf92f3577b34da6a3ce929d0e0e4736"
          model.enqueue({ content: [{ type: "tool_use", name: "computer_screenshot", input: {} }] }, complete)
          yield* Effect.promise(() =>
            fetch(`${url}/tasks`, {
              method: "POST",
              headers: { "content-type": "application/json", traceparent: `00-${traceId}-00f067aa0ba902b7-00` },
              body: JSON.stringify({ description: "unseen" })
            }).then((response) => response.text())
          )
          yield* Effect.promise(() => desktop.waitForRequest("screenshot"))
          yield* Effect.promise(() => fetch(`${url}/health`).then((response) => response.text()))
          yield* Effect.promise(() => fetch(`${url}/nowhere/at/all?token=secret`).then((response) => response.text()))
          model.enqueue(complete)
          const seen = yield* createTask("seen")
          yield* untilStatus(seen, "COMPLETED")
          yield* until(
            "spans arrive while it runs",
            Effect.sync(() => (spans.length > 0 ? true : undefined))
          )
          return { traceId, passedOn: desktop.requests.flatMap(({ headers }) => headers.traceparent ?? []) }
        })
      )
      const { spans } = collector
      assert.isFalse(spans.some(({ traceId }) => traceId === result.traceId))
      assert.isTrue(result.passedOn.some((value) => value.startsWith(`00-${result.traceId}-`) && value.endsWith("-00")))
      assert.isFalse(
        spans.some(({ name }) => /health|Health|quiet|Desktop\.Wake|Desktop\.probe|DesktopStates/.test(name))
      )
      const unknown = spans.filter(({ attributes }) => attributes["url.path"] === "/nowhere/at/all")
      assert.deepStrictEqual(
        unknown.map(({ name }) => name),
        ["GET"]
      )
    }).pipe(Effect.scoped),
  60_000
)

it.live("nothing is sent, and no trace begun, without an endpoint", () =>
  Effect.gen(function* () {
    const { collector, result } = yield* collected({ OTEL_EXPORTER_OTLP_ENDPOINT: "" }, () =>
      Effect.gen(function* () {
        const { desktop, model } = yield* Stage
        model.enqueue({ content: [{ type: "tool_use", name: "computer_screenshot", input: {} }] }, complete)
        const id = yield* createTask("off")
        yield* untilStatus(id, "COMPLETED")
        return desktop.requests.flatMap(({ headers }) => Object.keys(headers))
      })
    )
    assert.deepStrictEqual(collector.requests, [])
    assert.notInclude(result, "traceparent")
  }).pipe(Effect.scoped)
)

it.live(
  "headers and attributes of the settings go with it; a collector that refuses is lived without",
  () =>
    Effect.gen(function* () {
      const { collector } = yield* collected(
        {
          OTEL_EXPORTER_OTLP_HEADERS: "x-key=a%20b",
          OTEL_RESOURCE_ATTRIBUTES: "deployment.environment.name=test",
          OTEL_SERVICE_NAME: "agent-7"
        },
        (running) =>
          Effect.gen(function* () {
            const { model } = yield* Stage
            model.enqueue(complete)
            const id = yield* createTask("on")
            yield* untilStatus(id, "COMPLETED")
            yield* until(
              "something was sent",
              Effect.sync(() => (running.resources.length > 0 ? true : undefined))
            )
            running.status = 503
            model.enqueue(complete)
            yield* untilStatus(yield* createTask("refused"), "COMPLETED")
          })
      )
      assert.strictEqual(collector.requests[0]?.headers["x-key"], "a b")
      assert.deepInclude(collector.resources[0], { "service.name": "agent-7", "deployment.environment.name": "test" })
    }).pipe(Effect.scoped),
  60_000
)
