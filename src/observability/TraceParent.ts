import { Effect, Option, Tracer } from "effect"
import { Headers, HttpTraceContext } from "effect/http"

/** The header by which a trace goes on elsewhere (W3C Trace Context). */
export const traceparentHeader = "traceparent"

/** The current span as the header's value; none where spans are not sent anywhere. */
export const currentTraceparent: Effect.Effect<Option.Option<string>> = Effect.gen(function* () {
  if ((yield* Effect.tracer) === Tracer.nativeTracer) return Option.none()
  const span = yield* Effect.option(Effect.currentSpan)
  return Option.flatMapNullishOr(span, (current) => HttpTraceContext.toHeaders(current)[traceparentHeader])
})

/** No spans, and no traceparent for those who are asked: for what belongs to no task and no request. */
export const untraced = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  effect.pipe(Effect.withTracerEnabled(false), Effect.provideService(Tracer.DisablePropagation, true))

/** Traces again what is part of something untraced; nothing changes where spans are not sent anywhere. */
export const traced = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.flatMap(Effect.tracer, (tracer) =>
    tracer === Tracer.nativeTracer
      ? effect
      : effect.pipe(Effect.withTracerEnabled(true), Effect.provideService(Tracer.DisablePropagation, false))
  )

/** The span that a value of the header names; undefined where it names none. */
export const spanOf = (value: string | null): Tracer.ExternalSpan | undefined =>
  value === null
    ? undefined
    : Option.getOrUndefined(HttpTraceContext.w3c(Headers.fromInput({ [traceparentHeader]: value })))
