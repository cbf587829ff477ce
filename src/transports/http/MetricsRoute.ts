import { Effect, Layer } from "effect"
import { HttpRouter, HttpServerResponse } from "effect/http"
import { PrometheusMetrics } from "effect/observability"
import { prometheusName, withDescriptions } from "../../observability/Metrics.ts"
import { Gauges } from "../Gauges.ts"

/** The version of Prometheus's text format. */
const contentType = "text/plain; version=0.0.4; charset=utf-8"

/** `GET /metrics`, for Prometheus. It holds numbers only, and is open as health is: keep it from the internet. */
export const MetricsRoute = Layer.effectDiscard(
  Effect.gen(function* () {
    const router = yield* HttpRouter.HttpRouter
    const gauges = yield* Gauges
    const answer = Effect.gen(function* () {
      yield* gauges.renew
      const text = yield* PrometheusMetrics.format({ metricNameMapper: prometheusName })
      return HttpServerResponse.text(withDescriptions(text), { contentType, headers: { "cache-control": "no-store" } })
    })
    yield* router.add("GET", "/metrics", answer)
  })
)
