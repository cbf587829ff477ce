import * as NodeHttpServerRequest from "@effect/platform-node/NodeHttpServerRequest"
import { Effect, type Layer, Option, Stream, type Types } from "effect"
import { HttpBody, HttpRouter, HttpServerRequest, HttpServerResponse } from "effect/http"
import { Settings } from "../../config/Settings.ts"
import { ServiceBusy } from "../../domain/LimitErrors.ts"
import { corsHeaders, preflightHeaders } from "./Cors.ts"
import { matchesETag, weakETag } from "./ETag.ts"
import { cannot, declared, failureResponse } from "./FailureResponse.ts"
import { InFlight, leastPiece, shareOf } from "./InFlight.ts"
import { observed } from "./Observed.ts"

type Unhandled = Effect.Effect<
  HttpServerResponse.HttpServerResponse,
  Types.unhandled,
  HttpServerRequest.HttpServerRequest
>

/**
 * What all responses have in common (docs/contract/rest.md, "General"): CORS headers, the charset of JSON, an entity tag and 304 where it
 * matches, a body for unknown routes and unexpected failures. Answers OPTIONS itself.
 */
export const Wire: Layer.Layer<never, never, HttpRouter.HttpRouter | InFlight | Settings> = HttpRouter.middleware(
  Effect.gen(function* () {
    const settings = yield* Settings
    const inFlight = yield* InFlight
    const origins = Option.getOrUndefined(settings.corsOrigins)
    return (app): Unhandled =>
      Effect.flatMap(HttpServerRequest.HttpServerRequest, (request) => {
        const { origin } = request.headers
        return observed(request, ({ requestId, route }) => {
          if (request.method === "OPTIONS") return Effect.sync(() => preflight(request, origins, requestId))
          return routed(route.noting(app), request).pipe(
            Effect.catchCause((cause) => failureResponse(request, cause)),
            Effect.map((response) =>
              held(inFlight, request, response, {
                ...safety,
                ...corsHeaders(origins, origin),
                ...(response.status === 503 ? comeBack : {}),
                "x-request-id": requestId
              })
            )
          )
        })
      })
  }),
  { global: true }
)

/**
 * Runs the routes on a path that they take literally. Effect's router decodes paths before it matches, and cuts them at
 * `;`: so percent signs go through it encoded once more, and `DecodeRequest` decodes the parameters. Empty segments
 * match no route.
 */
const routed = (app: Unhandled, request: HttpServerRequest.HttpServerRequest): Unhandled => {
  if (!/[%;#]|\/\//.test(request.url)) return app
  const queryAt = request.url.indexOf("?")
  const path = queryAt === -1 ? request.url : request.url.slice(0, queryAt)
  if (path.includes("//")) return Effect.succeed(cannot(request))
  const literal = path.replaceAll(/[%;#]/g, encodeURIComponent)
  return literal === path
    ? app
    : Effect.provideService(
        app,
        HttpServerRequest.HttpServerRequest,
        request.modify({ url: literal + request.url.slice(path.length) })
      )
}

/** Counts a large answer's memory until its client has read it. A GET for which there is no room is answered with 503. */
const held = (
  inFlight: InFlight["Service"],
  request: HttpServerRequest.HttpServerRequest,
  made: HttpServerResponse.HttpServerResponse,
  common: Record<string, string>
): HttpServerResponse.HttpServerResponse => {
  const response = onWire(request, made, common)
  const { body } = response
  if (body._tag !== "Uint8Array" || body.contentLength <= leastPiece) return response
  const { answer, watched } = shareOf(inFlight, request)
  // A request that has changed something gets its answer in any case.
  if (request.method !== "GET") answer.set(body.contentLength)
  else if (!answer.trySet(body.contentLength))
    return onWire(request, declared(new ServiceBusy()), { ...common, ...comeBack })
  const bytes = watched(Stream.succeed(body.body))
  return HttpServerResponse.setBody(
    response,
    HttpBody.stream(bytes, response.headers["content-type"], body.contentLength)
  )
}

const onWire = (
  request: HttpServerRequest.HttpServerRequest,
  response: HttpServerResponse.HttpServerResponse,
  common: Record<string, string>
): HttpServerResponse.HttpServerResponse => {
  const { body } = response
  const computed = () => (body._tag === "Uint8Array" ? weakETag(body.text ?? body.body, body.contentLength) : undefined)
  const etag = response.headers.etag ?? computed()
  if (etag === undefined) return HttpServerResponse.setHeaders(response, common)
  const { "if-none-match": ifNoneMatch } = request.headers
  const isRead = request.method === "GET" || request.method === "HEAD"
  if (ifNoneMatch !== undefined && isRead && isSuccess(response) && matchesETag(ifNoneMatch, etag)) {
    return HttpServerResponse.empty({ status: 304, headers: { ...common, etag } })
  }
  const isJson = response.headers["content-type"] === "application/json"
  return HttpServerResponse.setHeaders(
    response,
    isJson ? { ...common, etag, "content-type": "application/json; charset=utf-8" } : { ...common, etag }
  )
}

/** No response may be taken for a page, or shown inside the page of another site (OWASP, HTTP headers cheat sheet). */
const safety = { "x-content-type-options": "nosniff", "x-frame-options": "DENY", "referrer-policy": "no-referrer" }

/** Of responses with 503 (RFC 9110, section 10.2.3), in seconds. */
const comeBack = { "retry-after": "1" }

const isSuccess = ({ status }: HttpServerResponse.HttpServerResponse) => status >= 200 && status < 300

const preflight = (
  request: HttpServerRequest.HttpServerRequest,
  origins: ReadonlyArray<string> | undefined,
  requestId: string
) => {
  // Recorded, and some browsers wait for a body without it; Effect drops it from a 204, so it is set on Node's response.
  NodeHttpServerRequest.toServerResponse(request).setHeader("content-length", "0")
  return HttpServerResponse.empty({
    status: 204,
    headers: {
      ...preflightHeaders(origins, request.headers.origin, request.headers["access-control-request-headers"]),
      "x-request-id": requestId
    }
  })
}
