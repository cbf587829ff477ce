import { Effect, Redacted, Schema } from "effect"

/** Redis can't be reached, or ended the connection. */
export class RedisUnavailable extends Schema.TaggedError<RedisUnavailable>()("RedisUnavailable", {
  reason: Schema.String
}) {
  override get message(): string {
    return `Redis is away: ${this.reason}`
  }
}

/** Milliseconds. */
const connectTimeout = 5_000

const reasonOf = (cause: unknown): string => {
  if (!(cause instanceof Error)) return String(cause)
  // A host with several addresses fails with an AggregateError, which has a code and no message.
  return cause.message === "" && "code" in cause ? String(cause.code) : cause.message
}

export const unavailable = (cause: unknown): RedisUnavailable => new RedisUnavailable({ reason: reasonOf(cause) })

/**
 * A connection of its own until the scope closes. It does not come back by itself: `onEnd` is called when it is lost, perhaps more than
 * once, so that its user can read what was missed meanwhile.
 */
export const connect = (url: Redacted.Redacted, onEnd: (reason: RedisUnavailable) => void) =>
  Effect.acquireRelease(
    Effect.tryPromise({
      try: async () => {
        // Hundreds of modules, which most replicas do not need.
        const { createClient } = await import("redis")
        const client = createClient({ url: Redacted.value(url), socket: { reconnectStrategy: false, connectTimeout } })
        client.on("error", (error: unknown) => onEnd(unavailable(error)))
        client.on("end", () => onEnd(unavailable("the connection was closed")))
        await client.connect()
        return client
      },
      catch: unavailable
    }),
    (client) => Effect.sync(() => client.destroy()).pipe(Effect.ignoreCause)
  )

/** Effect's Redis service, which comes back by itself. Commands fail while Redis is away, instead of waiting for it. */
export const reconnecting = (url: Redacted.Redacted) =>
  // Hundreds of modules, which most replicas do not need.
  Effect.map(
    Effect.promise(() => import("@effect/platform-node/NodeRedis")),
    ({ layer }) => layer({ url: Redacted.value(url), disableOfflineQueue: true, socket: { connectTimeout } })
  )
