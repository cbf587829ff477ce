import { Option } from "effect"
import type { SettingsValues } from "../config/Settings.ts"

/** Whether a trace that begins here is sent; `remote` says whether the caller's part of it is, undefined where there is no caller. */
export type Sampler = (traceId: string, remote: boolean | undefined) => boolean

/** OTEL_TRACES_SAMPLER and OTEL_TRACES_SAMPLER_ARG, as OpenTelemetry's specification of the SDK means them. */
export const samplerOf = (settings: Pick<SettingsValues, "otelTracesSampler" | "otelTracesSamplerArg">): Sampler => {
  const ratio = Option.getOrElse(settings.otelTracesSamplerArg, () => 1)
  switch (settings.otelTracesSampler) {
    case "always_on":
      return () => true
    case "always_off":
      return () => false
    case "traceidratio":
      return (traceId) => isWithin(traceId, ratio)
    case "parentbased_always_on":
      return (_, remote) => remote ?? true
    case "parentbased_always_off":
      return (_, remote) => remote ?? false
    case "parentbased_traceidratio":
      return (traceId, remote) => remote ?? isWithin(traceId, ratio)
  }
}

/**
 * The same for all services that see the trace: the last 56 bits of its id are random (W3C Trace Context, level 2) and are compared with the
 * ratio's threshold (OpenTelemetry, "TraceState: Probability Sampling"). Of them, the 52 that a number holds are enough.
 */
const isWithin = (traceId: string, ratio: number): boolean =>
  Number.parseInt(traceId.slice(-14, -1), 16) / 2 ** 52 >= 1 - ratio
