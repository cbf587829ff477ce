import { Cause, Deferred, Duration, Effect, Layer, Queue, type Redacted, Schedule } from "effect"
import { Singleton } from "effect/cluster"
import { SqlClient } from "effect/sql"
import { wordsOf } from "../database/SqlFailure.ts"
import { catchUp, channel } from "./EventTable.ts"
import { Notifications, NotificationsEnded } from "./Notifications.ts"
import { connect, unavailable } from "./RedisConnection.ts"

const ended = (error: { readonly message: string }) => new NotificationsEnded({ reason: error.message })

/** One Redis may serve several databases, whose events have ids of their own: the channel says which one they are of. */
export const channelOf = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  const [row] = yield* sql<{ database: string }>`
    SELECT md5(concat_ws(' ', current_database(), current_schema(), (SELECT oid FROM pg_database WHERE datname = current_database()),
      (SELECT min("appliedAt") FROM "BytebotMigration"))) AS database`
  return `${channel}:${row?.database ?? ""}`
}).pipe(Effect.catchTag("SqlError", (error) => Effect.fail(new NotificationsEnded({ reason: wordsOf(error) }))))

/** As Redis passes them on: replicas hold no connection of PostgreSQL's to hear of events. */
export const layer = (url: Redacted.Redacted): Layer.Layer<Notifications, never, SqlClient.SqlClient> =>
  Layer.effect(
    Notifications,
    Effect.map(SqlClient.SqlClient, (sql) =>
      Notifications.of({
        listen: Effect.gen(function* () {
          const name = yield* Effect.provideService(channelOf, SqlClient.SqlClient, sql)
          const heard = yield* Queue.unbounded<string, NotificationsEnded>()
          const client = yield* connect(url, (reason) => Queue.failCauseUnsafe(heard, Cause.fail(ended(reason))))
          yield* Effect.tryPromise({
            try: () => client.subscribe(name, (text) => Queue.offerUnsafe(heard, text)),
            catch: unavailable
          })
          return heard
        }).pipe(Effect.mapError(ended)),
        sender: Effect.gen(function* () {
          const name = yield* Effect.provideService(channelOf, SqlClient.SqlClient, sql)
          let lost: Error | undefined
          const client = yield* connect(url, (reason) => {
            lost = reason
          })
          const publish = async (texts: ReadonlyArray<string>) => {
            if (lost !== undefined) throw lost
            await Promise.all(texts.map((text) => client.publish(name, text)))
          }
          return {
            send: (texts: ReadonlyArray<string>) =>
              Effect.tryPromise({ try: () => publish(texts), catch: (cause) => ended(unavailable(cause)) }),
            every: Duration.millis(50)
          }
        }).pipe(Effect.mapError(ended))
      })
    )
  )

/**
 * Passes PostgreSQL's notifications on to Redis, in the order of the commits. Whatever it misses, while it moves from one replica to
 * another, the listeners find in the table.
 */
export const passOn = (url: Redacted.Redacted) =>
  Effect.gen(function* () {
    const { listen } = yield* Notifications
    yield* Effect.gen(function* () {
      const name = yield* channelOf
      const lost = yield* Deferred.make<never, NotificationsEnded>()
      const client = yield* Effect.mapError(
        connect(url, (reason) => Deferred.doneUnsafe(lost, Effect.fail(ended(reason)))),
        ended
      )
      const heard = yield* listen
      const publish = (text: string) => Effect.tryPromise({ try: () => client.publish(name, text), catch: unavailable })
      yield* publish(catchUp)
      yield* Queue.take(heard).pipe(
        Effect.flatMap(publish),
        Effect.mapError(ended),
        Effect.forever,
        Effect.raceFirst(Deferred.await(lost))
      )
    }).pipe(
      Effect.scoped,
      Effect.tapError((error) =>
        Effect.logWarning(`Events are delayed: passing them on to Redis again (${error.message})`)
      ),
      Effect.retry(Schedule.min([Schedule.exponential("100 millis"), Schedule.spaced("2 seconds")]))
    )
  }).pipe(Effect.provide(Notifications.postgres))

/** The same, by one replica. */
export const relay = (url: Redacted.Redacted) => Singleton.make("EventRelay", passOn(url))
