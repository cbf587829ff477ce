import { Effect, Layer, Option } from "effect"
import { HttpEffect, HttpServerRequest, HttpServerResponse } from "effect/http"
import { Authentication } from "../../api/Authentication.ts"
import { Accounts } from "../../auth/Accounts.ts"
import { Settings } from "../../config/Settings.ts"
import { Caller, everybody } from "../../domain/Caller.ts"
import type { TooManyRequests } from "../../domain/LimitErrors.ts"
import { RequestLimits } from "../../limits/RequestLimits.ts"
import { clientAddress, limitKey } from "../ClientAddress.ts"

/** Sets Retry-After (RFC 9110, section 10.2.3). */
export const sayWhen = ({ retryAfter }: TooManyRequests) =>
  HttpEffect.appendPreResponseHandler((_, response) =>
    Effect.succeed(HttpServerResponse.setHeader(response, "retry-after", String(retryAfter)))
  )

/** Who sends the request. Requests of users are counted by user, others by address. */
const identified = Effect.gen(function* () {
  const accounts = yield* Accounts
  const limits = yield* RequestLimits
  const { proxies } = yield* Settings
  const { headers, method, remoteAddress } = yield* HttpServerRequest.HttpServerRequest
  const countAddress = Effect.suspend(() =>
    limits.countRequest(limitKey(clientAddress(proxies, remoteAddress, headers["x-forwarded-for"])))
  )
  const caller = yield* accounts
    .identify({ headers, mayChange: method !== "GET" && method !== "HEAD" })
    .pipe(Effect.tapError(() => countAddress))
  if (caller.userId === null) yield* countAddress
  else {
    yield* Effect.annotateCurrentSpan({ "user.id": caller.userId })
    yield* limits.countRequest(`user ${caller.userId}`)
  }
  return caller
}).pipe(Effect.tapErrorTag("TooManyRequests", sayWhen))

/** The server's side of `Authentication`. */
export const Authenticate: Layer.Layer<Authentication, never, Accounts | RequestLimits | Settings> = Layer.effect(
  Authentication,
  Effect.gen(function* () {
    const context = yield* Effect.context<Accounts | RequestLimits | Settings>()
    const { areOn } = yield* Accounts
    const { rateLimit } = yield* Settings
    // Without accounts and limits, all callers are the same.
    if (!areOn && Option.isNone(rateLimit)) return (endpoint) => Effect.provideService(endpoint, Caller, everybody)
    return (endpoint) =>
      Effect.flatMap(Effect.provideContext(identified, context), (caller) =>
        Effect.provideService(endpoint, Caller, caller)
      )
  })
)
