import { randomUUID } from "node:crypto"
import { Context, Effect, Exit, LogLevel, References, Tracer } from "effect"
import { HttpRouter, type HttpServerRequest, type HttpServerResponse } from "effect/http"
import { measure, metrics } from "../../observability/Metrics.ts"
import { isQuiet } from "../../observability/QuietRequests.ts"

type App<E, R> = Effect.Effect<HttpServerResponse.HttpServerResponse, E, R>

/** Notes the route of a request, if there is one: `noting` wraps the router itself, inside `observed`. */
export class RouteTaken {
  path: string | undefined

  readonly noting = <E, R>(router: App<E, R>): App<E, R> =>
    Effect.onExit(router, () =>
      Effect.withFiber((fiber) => {
        this.path = Context.getOrUndefined(fiber.context, HttpRouter.RouteContext)?.route.path
        return Effect.void
      })
    )
}

/** A request id of a proxy or client: without characters that could forge a log line. */
const saneId = /^[\w.:/+=@-]{1,128}$/

/** Semantic conventions for HTTP, "http.request.method": other methods are `_OTHER`, so that clients can't invent labels. */
const methods = new Set(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE"])

/** What is known of a request at its start. */
export interface Observation {
  readonly route: RouteTaken
  /** To be in the response. */
  readonly requestId: string
}

/**
 * Gives the request an id, which each of its log lines has; logs and measures it once it is answered. Health and metrics are logged at
 * debug level, as orchestrators poll them.
 */
export const observed = <E, R>(
  request: HttpServerRequest.HttpServerRequest,
  respond: (observation: Observation) => App<E, R>
): App<E, R> =>
  Effect.withFiber((fiber) => {
    const begun = performance.now()
    const route = new RouteTaken()
    const given = request.headers["x-request-id"]
    const requestId = given !== undefined && saneId.test(given) ? given : randomUUID()
    const span = Context.getOrUndefined(fiber.context, Tracer.ParentSpan)
    // The trace's id is in each line, where there is a trace.
    const isTraced = span?._tag === "Span" && span.traceId !== "noop"
    return respond({ route, requestId }).pipe(
      Effect.onExit((exit) => {
        const ms = performance.now() - begun
        // The client left before the answer (nginx's 499).
        const status = Exit.isSuccess(exit) ? exit.value.status : 499
        const path = route.path ?? "unmatched"
        const measured = measure(metrics.requests, ms / 1000, {
          "http.request.method": methods.has(request.method) ? request.method : "_OTHER",
          "http.route": path,
          "http.response.status_code": String(status)
        })
        const level = isQuiet(request.url) ? "Debug" : "Info"
        if (LogLevel.isGreaterThan(fiber.getRef(References.MinimumLogLevel), level)) return measured
        const line = { method: request.method.slice(0, 16), route: path, status, durationMs: Math.round(ms * 10) / 10 }
        return Effect.andThen(Effect.annotateLogs(Effect.logWithLevel(level)("Request"), line), measured)
      }),
      Effect.annotateLogs(isTraced ? { requestId, traceId: span.traceId } : { requestId })
    )
  })
