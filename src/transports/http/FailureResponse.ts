import { randomUUID } from "node:crypto"
import { Cause, Effect, type Schema } from "effect"
import { HttpServerError, type HttpServerRequest, HttpServerResponse } from "effect/http"

/**
 * The response for what no endpoint has declared: unknown routes, and bugs. Declared errors have their bodies in
 * `api/ErrorBody.ts` and never come here. Interruptions pass through.
 */
export const failureResponse = <E>(
  request: HttpServerRequest.HttpServerRequest,
  cause: Cause.Cause<E>
): Effect.Effect<HttpServerResponse.HttpServerResponse, E> => {
  if (Cause.hasInterruptsOnly(cause)) return Effect.failCause(cause)
  const failure = Cause.squash(cause)
  if (HttpServerResponse.isHttpServerResponse(failure)) return Effect.succeed(failure)
  if (HttpServerError.isHttpServerError(failure) && failure.reason._tag === "RouteNotFound") {
    return Effect.succeed(cannot(request))
  }
  return unexpected(request, cause)
}

/** 404 for a route that does not exist, which a wrong method is too; the path is shown as the client sent it. */
export const cannot = ({ method, url }: HttpServerRequest.HttpServerRequest) =>
  json(404, { message: `Cannot ${method} ${url}`, error: "Not Found", statusCode: 404 })

/** 500 without a word about our insides: the reference leads to the log, where the cause is. */
const unexpected = Effect.fnUntraced(function* <E>(
  { method, url }: HttpServerRequest.HttpServerRequest,
  cause: Cause.Cause<E>
) {
  const reference = randomUUID()
  const [path] = url.split("?", 1)
  yield* Effect.logError("A request failed unexpectedly", cause).pipe(Effect.annotateLogs({ reference, method, path }))
  return json(500, { statusCode: 500, message: "Internal server error", reference })
})

const json = (status: number, body: Schema.Json) =>
  HttpServerResponse.text(JSON.stringify(body), { status, contentType: "application/json" })
