import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import { ConfigProvider, Effect, Layer, Metric, Option, Redacted, References, Tracer } from "effect"
import { HttpClient, HttpMiddleware, UrlParams } from "effect/http"
import { OtlpExporter, OtlpLogger, OtlpMetrics, OtlpSerialization, OtlpTracer } from "effect/observability"
import packageJson from "../../package.json" with { type: "json" }
import { withoutCredentials } from "../config/Credentials.ts"
import { Settings, type SettingsValues } from "../config/Settings.ts"
import { isQuiet } from "./QuietRequests.ts"
import { samplerOf } from "./Sampler.ts"
import { quietRequest, serviceTracer } from "./ServiceTracer.ts"

/** How long the collector may take to answer: OpenTelemetry's default for OTEL_EXPORTER_OTLP_TIMEOUT. */
const patience = "10 seconds"

/**
 * Traces, metrics and logs for the OpenTelemetry collector of OTEL_EXPORTER_OTLP_ENDPOINT; without one no spans are made at all, and no traceparent is sent. What is pending
 * when the service ends is still sent, for at most three seconds.
 */
export const layer: Layer.Layer<never, never, Settings> = Layer.suspend(() =>
  // Metrics of its own for every service: tests run several in one process.
  Layer.provideMerge(
    signals,
    Layer.sync(Metric.MetricRegistry, () => new Map())
  )
)

const signals: Layer.Layer<never, never, Settings> = Layer.unwrap(
  Effect.map(Settings, (settings) =>
    Option.match(settings.otelEndpoint, {
      onNone: () =>
        Layer.mergeAll(Layer.succeed(References.TracerEnabled, false), Layer.succeed(Tracer.DisablePropagation, true)),
      onSome: (endpoint) => exporters(endpoint, settings)
    })
  )
)

const exporters = (endpoint: string, settings: SettingsValues): Layer.Layer<never> => {
  const to = (signal: string) => ({
    url: `${endpoint}/v1/${signal}`,
    headers: Option.match(settings.otelHeaders, { onNone: () => ({}), onSome: Redacted.value }),
    resource: {
      serviceName: settings.otelServiceName,
      serviceVersion: packageJson.version,
      attributes: Option.getOrElse(settings.otelResourceAttributes, () => ({}))
    }
  })
  const tracer = Layer.effect(
    Tracer.Tracer,
    Effect.map(OtlpTracer.make(to("traces")), (exporting) => serviceTracer(exporting, samplerOf(settings)))
  )
  const names = Layer.succeed(HttpMiddleware.SpanNameGenerator, (request) =>
    isQuiet(request.url) ? quietRequest : request.method
  )
  const queries = Layer.succeed(UrlParams.CurrentRedactedNames, hiddenParameters)
  return Layer.mergeAll(tracer, names, queries, OtlpMetrics.layer(to("metrics")), OtlpLogger.layer(to("logs"))).pipe(
    Layer.provide(OtlpExporter.layerFlusher),
    Layer.provide(
      settings.otelProtocol === "http/json" ? OtlpSerialization.layerJson : OtlpSerialization.layerProtobuf
    ),
    Layer.provide(client(withoutCredentials(endpoint))),
    // The settings have said it all: neither their defaults nor `.env` are known to the process's environment.
    Layer.provide(Layer.succeed(ConfigProvider.ConfigProvider, ConfigProvider.fromUnknown({})))
  )
}

/** Parameters of queries whose values no span shows: all but the API's own, as anything else may be a secret, whatever its name. */
const hiddenParameters = [/^(?!(?:page|limit|status|statuses)$)/]

/** Gives up a collector that is silent, and says once that it can't be reached, until it can be again. */
const client = (collector: string): Layer.Layer<HttpClient.HttpClient> =>
  Layer.effect(
    HttpClient.HttpClient,
    Effect.map(HttpClient.HttpClient, (http) => {
      let isAway = false
      const failed = (why: string) =>
        Effect.suspend(() => {
          if (isAway) return Effect.void
          isAway = true
          return Effect.logWarning(`The OpenTelemetry collector ${collector} takes nothing: ${why}`)
        })
      return http.pipe(
        HttpClient.transformResponse(
          Effect.timeoutOrElse({ duration: patience, orElse: () => Effect.die(new Error("it does not answer")) })
        ),
        HttpClient.transformResponse(Effect.tapDefect(() => failed("it does not answer"))),
        HttpClient.tapError((error) =>
          failed(error.reason._tag === "TransportError" ? "it can't be reached" : error.message)
        ),
        HttpClient.tap(({ status }) =>
          status < 300
            ? Effect.sync(() => {
                isAway = false
              })
            : failed(`it answers ${status}`)
        )
      )
    })
  ).pipe(Layer.provide(NodeHttpClient.layerNodeHttp))
