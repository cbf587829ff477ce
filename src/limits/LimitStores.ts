import { Clock, Context, Deferred, Duration, Effect, Layer, Option, type Redacted, Schedule, Schema } from "effect"
import { RateLimiter } from "effect/persistence"
import { SqlClient } from "effect/sql"
import { Settings } from "../config/Settings.ts"
import { reconnecting } from "../events/RedisConnection.ts"
import { channelOf } from "../events/RedisNotifications.ts"
import { untraced } from "../observability/TraceParent.ts"
import { BoundedMap } from "./BoundedMap.ts"

type Store = RateLimiter.RateLimiterStore["Service"]
type FixedWindow = Parameters<Store["fixedWindow"]>[0]

/** Most keys (users and addresses) that one process remembers: about 15 MB. */
export const mostKeys = 100_000

const failed = (message: string, cause: unknown) =>
  new RateLimiter.RateLimiterError({ reason: new RateLimiter.RateLimitStoreError({ message, cause }) })

/** Effect's store in memory, whose fixed windows, the only kind in use here, are replaced by those of `fixedWindow`. */
const withWindows = (fixedWindow: Store["fixedWindow"]) =>
  Layer.effect(
    RateLimiter.RateLimiterStore,
    Effect.map(Layer.build(RateLimiter.layerStoreMemory), (context) =>
      RateLimiter.RateLimiterStore.of({ ...Context.get(context, RateLimiter.RateLimiterStore), fixedWindow })
    )
  )

/** Counts in this process. With more than `capacity` keys the one counted longest ago is evicted. */
export const memory = (capacity: number = mostKeys) =>
  Layer.unwrap(
    Effect.sync(() => {
      const counters = new BoundedMap<{ readonly count: number; readonly expiresAt: number }>(capacity)
      return withWindows(({ key, limit, refillRate, tokens }: FixedWindow) =>
        Effect.map(Clock.currentTimeMillis, (now) => {
          const found = counters.get(key)
          const current = found !== undefined && found.expiresAt > now ? found : { count: 0, expiresAt: now }
          const count = current.count + tokens
          const isRefused = limit !== undefined && count > limit
          const next = isRefused
            ? current
            : { count, expiresAt: current.expiresAt + Duration.toMillis(refillRate) * tokens }
          counters.set(key, next)
          return [count, next.expiresAt - now] as const
        })
      )
    })
  )

const decodeCounter = Schema.decodeUnknownEffect(
  Schema.Tuple([Schema.Struct({ count: Schema.Int, ttl: Schema.Finite })])
)

/** Counts in the table "RateCounter", by PostgreSQL's clock: one upsert per request. */
const postgres = Layer.unwrap(
  Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    yield* sql`DELETE FROM "RateCounter" WHERE "expiresAt" < now()`.pipe(
      Effect.catchCause((cause) => Effect.logDebug("Expired rate counters were not deleted", cause)),
      Effect.repeat(Schedule.spaced("1 minute")),
      untraced,
      Effect.forkScoped
    )
    return withWindows(({ key, limit = 2_147_483_646, refillRate, tokens }: FixedWindow) => {
      const added = sql`${Duration.toMillis(refillRate) * tokens}::float8 * interval '1 millisecond'`
      return sql`
        INSERT INTO "RateCounter" AS c ("key", "count", "expiresAt") VALUES (${key}, ${tokens}, clock_timestamp() + ${added})
        ON CONFLICT ("key") DO UPDATE SET
          "count" = CASE WHEN c."expiresAt" <= clock_timestamp() THEN EXCLUDED."count"
            ELSE least(c."count", ${limit}) + EXCLUDED."count" END,
          "expiresAt" = CASE WHEN c."expiresAt" <= clock_timestamp() THEN EXCLUDED."expiresAt"
            WHEN c."count" + EXCLUDED."count" > ${limit} THEN c."expiresAt"
            ELSE c."expiresAt" + ${added} END
        RETURNING "count", (extract(epoch FROM "expiresAt" - clock_timestamp()) * 1000)::float8 AS ttl`.pipe(
        Effect.flatMap(decodeCounter),
        Effect.map(([{ count, ttl }]) => [count, ttl] as const),
        Effect.mapError((cause) => failed("PostgreSQL did not count a request", cause)),
        untraced
      )
    })
  })
)

/** Counts in Redis. Requests wait for the connection; the start of the service does not. */
const redis = (url: Redacted.Redacted) =>
  Layer.unwrap(
    Effect.gen(function* () {
      const connected = yield* Deferred.make<Store>()
      yield* Effect.gen(function* () {
        const prefix = `${yield* channelOf}:rate:`
        const store = RateLimiter.layerStoreRedis({ prefix }).pipe(Layer.provide(yield* reconnecting(url)))
        yield* Deferred.succeed(connected, Context.get(yield* Layer.build(store), RateLimiter.RateLimiterStore))
        return yield* Effect.never
      }).pipe(Effect.scoped, Effect.retry(Schedule.spaced("2 seconds")), Effect.forkScoped)
      return withWindows((options) => Effect.flatMap(Deferred.await(connected), (store) => store.fixedWindow(options)))
    })
  )

/** Where requests are counted for all replicas: Redis where there is one, else PostgreSQL; one replica alone counts in memory. */
export const configured = Layer.unwrap(
  Effect.map(Settings, ({ clusterEnabled, redisUrl }) =>
    Option.match(redisUrl, { onNone: () => (clusterEnabled ? postgres : memory()), onSome: redis })
  )
)
