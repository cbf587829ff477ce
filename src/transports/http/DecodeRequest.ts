import { Effect, Layer } from "effect"
import { HttpRouter, HttpServerRequest } from "effect/http"
import { HttpApiError } from "effect/http-api"
import { RequestBody, RequestDecoding } from "../../api/RequestDecoding.ts"
import { InvalidRequest } from "../../domain/TaskErrors.ts"
import { bodyFields } from "./BodyFields.ts"
import { InFlight } from "./InFlight.ts"
import { invalidInput } from "./InvalidInput.ts"

/** The server's side of `RequestDecoding`. */
export const DecodeRequest: Layer.Layer<RequestDecoding, never, InFlight> = Layer.effect(
  RequestDecoding,
  Effect.map(InFlight, (inFlight) => (endpoint) => {
    const withMessages = Effect.catch(endpoint, (error) =>
      Effect.fail(isRequestError(error) ? invalidInput(error.cause.issue) : error)
    )
    return Effect.gen(function* () {
      const route = yield* HttpRouter.RouteContext
      const params = yield* decodedParams(route.params)
      const body = bodyFields(yield* HttpServerRequest.HttpServerRequest)
      const fields = yield* Effect.provideService(body, InFlight, inFlight)
      const withBody = Effect.provideService(withMessages, RequestBody, fields)
      return yield* params === route.params
        ? withBody
        : Effect.provideService(withBody, HttpRouter.RouteContext, { ...route, params })
    })
  })
)

/** A response that does not encode is a bug of the service, not the client's mistake. */
const isRequestError = (error: unknown): error is HttpApiError.HttpApiSchemaError =>
  HttpApiError.HttpApiSchemaError.is(error) && error.kind !== "Body" && error.kind !== "ResponseHeaders"

type Params = HttpRouter.RouteContext["Service"]["params"]

/** `Wire` leaves parameters percent-encoded. */
const decodedParams = (params: Params): Effect.Effect<Params, InvalidRequest> => {
  const encoded = Object.values(params).filter((value) => value?.includes("%"))
  if (encoded.length === 0) return Effect.succeed(params)
  return Effect.forEach(Object.entries(params), ([name, value = ""]) =>
    Effect.try({
      try: () => [name, decodeURIComponent(value)] as const,
      catch: () => new InvalidRequest({ message: `Failed to decode param '${value}'` })
    })
  ).pipe(Effect.map(Object.fromEntries))
}
