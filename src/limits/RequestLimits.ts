import { Clock, Context, Duration, Effect, Layer, Option } from "effect"
import { RateLimiter } from "effect/persistence"
import { Settings } from "../config/Settings.ts"
import { TooManyRequests } from "../domain/LimitErrors.ts"
import { BoundedMap } from "./BoundedMap.ts"
import * as LimitStores from "./LimitStores.ts"

const window = Duration.minutes(1)

/** Requests per minute and address to those routes of Better Auth that are no attempts to log in. */
const accountRequests = 600

/** How long a request waits for the shared store before it is counted in this process. */
const storeTimeout = "500 millis"

/** Milliseconds for which a store that failed is not asked again. */
const pauseAfterFailure = 5_000

/**
 * Limits per minute, counted for all replicas together (`LimitStores.configured`). While the shared store is away each replica counts
 * for itself, so that the service keeps answering: N replicas then let N times the limit through.
 */
export class RequestLimits extends Context.Service<
  RequestLimits,
  {
    /** Counts a request of a user or address against BYTEBOT_RATE_LIMIT. */
    readonly countRequest: (caller: string) => Effect.Effect<void, TooManyRequests>
    /** Counts an attempt to log in, or to make an account, against BYTEBOT_LOGIN_LIMIT. */
    readonly countLogin: (address: string) => Effect.Effect<void, TooManyRequests>
    /** Counts another request to Better Auth's routes. */
    readonly countAccountRequest: (address: string) => Effect.Effect<void, TooManyRequests>
  }
>()("bytebot/RequestLimits") {
  static readonly layer = Layer.effect(
    RequestLimits,
    Effect.gen(function* () {
      const { loginLimit, rateLimit } = yield* Settings
      const shared = yield* RateLimiter.make
      const local = Context.get(
        yield* Layer.build(RateLimiter.layer.pipe(Layer.provide(LimitStores.memory()))),
        RateLimiter.RateLimiter
      )
      /** Until when a key is refused, in ms since the epoch: a flood costs the store nothing. */
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

      return RequestLimits.of({
        countRequest: (caller) =>
          Option.match(rateLimit, { onNone: () => Effect.void, onSome: (limit) => count(caller, limit) }),
        countLogin: (address) => count(`login ${address}`, loginLimit),
        countAccountRequest: (address) => count(`account ${address}`, accountRequests)
      })
    })
  )

  /** With the store that the settings name. */
  static readonly configured = RequestLimits.layer.pipe(Layer.provide(LimitStores.configured))
}
