import { randomUUID } from "node:crypto"
import { Cause, Effect, Schema } from "effect"
import { HttpServerError, type HttpServerRequest, HttpServerResponse } from "effect/http"
import { Socket } from "effect/socket"
import { type DeclaredError, DeclaredErrorBody } from "../../api/ErrorBody.ts"

/** The response for unknown routes and bugs; declared errors have their bodies in `api/ErrorBody.ts`. Interruptions pass through. */
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
  const isUnreadable = HttpServerError.isHttpServerError(failure) && failure.reason._tag === "RequestParseError"
  // A SocketError: the WebSocket's handshake was invalid, or its client has left.
  if (isUnreadable || Socket.isSocketError(failure)) return Effect.succeed(unreadable(request))
  return unexpected(request, cause)
}

/** A request without a WebSocket for a route that needs one, or with an invalid handshake. */
const unreadable = ({ headers }: HttpServerRequest.HttpServerRequest) =>
  headers.upgrade?.toLowerCase() === "websocket"
    ? json(400, { message: "The request can't be read", error: "Bad Request", statusCode: 400 })
    : HttpServerResponse.setHeaders(
        json(426, { message: "This is for WebSockets only", error: "Upgrade Required", statusCode: 426 }),
        { upgrade: "websocket", connection: "upgrade" }
      )

const encodeError = Schema.encodeSync(DeclaredErrorBody)

/** Gives the errors of a route that is not an endpoint the bodies that endpoints give them. */
export const answered = <E extends DeclaredError, R>(
  route: Effect.Effect<HttpServerResponse.HttpServerResponse, E, R>
): Effect.Effect<HttpServerResponse.HttpServerResponse, never, R> =>
  Effect.catch(route, (error) => Effect.succeed(declared(error)))

/** The response for an error of a route. */
export const declared = (error: DeclaredError): HttpServerResponse.HttpServerResponse => {
  const body = encodeError(error)
  return json(body.statusCode, body)
}

/** 404 for an unknown route or method; the path is shown as the client sent it. */
export const cannot = ({ method, url }: HttpServerRequest.HttpServerRequest) =>
  json(404, { message: `Cannot ${method} ${url}`, error: "Not Found", statusCode: 404 })

/** 500 without internals: the reference leads to the cause in the log. */
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
