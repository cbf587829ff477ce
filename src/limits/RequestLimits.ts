import { Clock, Context, Duration, Effect, Layer, Option } from "effect"
import { RateLimiter } from "effect/persistence"
import { Settings } from "../config/Settings.ts"
import { TooManyRequests } from "../domain/LimitErrors.ts"
import { BoundedMap } from "./BoundedMap.ts"
import * as LimitStores from "./LimitStores.ts"

const window = Duration.minutes(1)

/** Requests per minute and address to the routes of Better Auth other than logins. */
const accountRequests = 600

/** How long a request waits for the shared store before it is counted in this process. */
const storeTimeout = "500 millis"

/** Milliseconds for which a store that failed is not used. */
const pauseAfterFailure = 5_000

/**
 * Limits per minute, counted for all replicas together (`LimitStores.configured`). During an outage of the shared store each replica counts
 * for itself, so that the service keeps answering: N replicas then let N times the limit through.
 */
export class RequestLimits extends Context.Service<RequestLimits>()("bytebot/RequestLimits", {
  make: Effect.gen(function* () {
    const { loginLimit, rateLimit } = yield* Settings
    const shared = yield* RateLimiter.make
    const local = Context.get(
      yield* Layer.build(RateLimiter.layer.pipe(Layer.provide(LimitStores.memory()))),
      RateLimiter.RateLimiter
    )
    /** Until when a key is refused, in ms since the epoch: a flood does not reach the store. */
    const refused = new BoundedMap<number>(LimitStores.mostKeys)
    let isAwayUntil = 0

    const consumeShared = (options: Parameters<typeof shared.consume>[0]) =>
      Effect.timeoutOption(shared.consume(options), storeTimeout).pipe(
        Effect.catchIf(
          ({ reason }) => reason._tag === "RateLimitStoreError",
          () => Effect.succeedNone
        ),
        Effect.flatMap((counted) =>
          Option.isSome(counted)
            ? Effect.void
            : Effect.gen(function* () {
                isAwayUntil = (yield* Clock.currentTimeMillis) + pauseAfterFailure
                yield* Effect.logWarning(
                  "Requests are counted by each replica for itself: the store that replicas share (REDIS_URL, else PostgreSQL) does not answer"
                )
                yield* local.consume(options)
              })
        )
      )

    const count = Effect.fnUntraced(function* (key: string, limit: number) {
      const now = yield* Clock.currentTimeMillis
      const tooMany = (milliseconds: number) =>
        new TooManyRequests({ retryAfter: Math.max(1, Math.ceil(milliseconds / 1000)) })
      const until = refused.get(key) ?? 0
      if (until > now) return yield* tooMany(until - now)
      const options = { key, limit, window }
      yield* (now < isAwayUntil ? local.consume(options) : consumeShared(options)).pipe(
        Effect.catchTag("RateLimiterError", ({ reason }) => {
          if (reason._tag === "RateLimitStoreError") return Effect.die(reason)
          const milliseconds = Duration.toMillis(reason.retryAfter)
          refused.set(key, now + milliseconds)
          return Effect.fail(tooMany(milliseconds))
        })
      )
    })

    return {
      /** Counts a request of a user or address against BYTEBOT_RATE_LIMIT. */
      countRequest: (caller: string) =>
        Option.match(rateLimit, { onNone: () => Effect.void, onSome: (limit) => count(caller, limit) }),
      /** Counts a login, or the making of an account, against BYTEBOT_LOGIN_LIMIT. */
      countLogin: (address: string) => count(`login ${address}`, loginLimit),
      /** Counts another request to Better Auth's routes. */
      countAccountRequest: (address: string) => count(`account ${address}`, accountRequests)
    }
  })
}) {
  static readonly layer = Layer.effect(RequestLimits, RequestLimits.make)

  /** With the store that the settings name. */
  static readonly configured = RequestLimits.layer.pipe(Layer.provide(LimitStores.configured))
}
