import { Option, Tracer } from "effect"
import type { Sampler } from "./Sampler.ts"

/** What a request that is asked every few seconds is called: its trace says nothing and is not sent. */
export const quietRequest = "(quiet)"

/**
 * Spans that are not sent, nor what happens in them unless it belongs to another trace: requests for health and metrics; and a worker's
 * handling of a wake-up, which lasts as long as there are tasks. The runs in it belong to the traces of their tasks.
 */
const quiet = new Set([quietRequest, "Desktop.Wake", "Desktop.WakeAt", "Desktop.Check"])

/** A tracer that sends what the sampler chooses, with requests named by their routes. */
export const serviceTracer = (exporting: Tracer.Tracer, isSampled: Sampler): Tracer.Tracer =>
  Tracer.make({
    ...(exporting.context === undefined ? {} : { context: exporting.context }),
    span: (options) => {
      const parent = Option.getOrUndefined(options.parent)
      if (quiet.has(options.name)) return new Tracer.NativeSpan({ ...options, sampled: false })
      // The trace was decided upon where it entered this process.
      if (parent?._tag === "Span") return exporting.span(options)
      const span = exporting.span({ ...options, sampled: true })
      if (isSampled(span.traceId, parent?.sampled)) return options.kind === "server" ? namedByRoute(span) : span
      return Object.assign(new Tracer.NativeSpan({ ...options, sampled: false }), { _traceId: span.traceId })
    }
  })

/** A request's route is known once its router has seen it (OpenTelemetry, "Semantic conventions for HTTP spans": method and route). */
const namedByRoute = (span: Tracer.Span): Tracer.Span => {
  const end = span.end.bind(span)
  return Object.assign(span, {
    end: (...args: Parameters<Tracer.Span["end"]>) => {
      const route = span.attributes.get("http.route")
      if (typeof route === "string") Object.assign(span, { name: `${span.name} ${route}` })
      end(...args)
    }
  })
}
