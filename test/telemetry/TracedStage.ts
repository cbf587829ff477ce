import { Effect, Layer } from "effect"
import * as Collector from "../emulators/collector.ts"
import { Stage } from "../support/Stage.ts"

/** A scene on a stage whose telemetry goes to a collector of its own; what that got, once the service has ended and sent everything. */
export const collected = <A, E>(
  variables: Readonly<Record<string, string>>,
  scene: (collector: Collector.CollectorEmulator) => Effect.Effect<A, E, Stage>
) =>
  Effect.gen(function* () {
    const collector = yield* Collector.scoped()
    const stage = Stage.layer({ OTEL_EXPORTER_OTLP_ENDPOINT: collector.url, ...variables })
    const result = yield* Effect.scoped(
      Effect.flatMap(Layer.build(stage), (services) => Effect.provide(scene(collector), services))
    )
    return { collector, result }
  })
