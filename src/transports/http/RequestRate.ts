import { Clock, Context, Effect, Layer, Option } from "effect"
import { Settings } from "../../config/Settings.ts"
import { TooManyRequests } from "../../domain/LimitErrors.ts"

/** Milliseconds after which counting begins anew. */
const window = 60_000

/** Callers that are counted apart; when there are more, somebody makes them up, and counting begins anew. */
const mostCallers = 100_000

/** Counts requests per user or address, where BYTEBOT_RATE_LIMIT says how many there may be. */
export class RequestRate extends Context.Service<
  RequestRate,
  {
    /** Counts one request of `caller`. */
    readonly count: (caller: string) => Effect.Effect<void, TooManyRequests>
  }
>()("bytebot/RequestRate") {
  static readonly layer = Layer.effect(
    RequestRate,
    Effect.gen(function* () {
      const { rateLimit } = yield* Settings
      if (Option.isNone(rateLimit)) return RequestRate.of({ count: () => Effect.void })
      const counts = new Map<string, number>()
      let begun = 0
      return RequestRate.of({
        count: Effect.fnUntraced(function* (caller) {
          const now = yield* Clock.currentTimeMillis
          if (now - begun >= window || counts.size > mostCallers) {
            counts.clear()
            begun = now
          }
          const count = (counts.get(caller) ?? 0) + 1
          counts.set(caller, count)
          if (count > rateLimit.value) {
            return yield* new TooManyRequests({ retryAfter: Math.max(1, Math.ceil((begun + window - now) / 1000)) })
          }
        })
      })
    })
  )
}
