import { PgClient } from "@effect/sql-pg"
import { Context, Duration, Effect, Layer, Queue, Schema, type Scope } from "effect"
import { wordsOf } from "../database/SqlFailure.ts"
import { channel } from "./EventTable.ts"

/** The connection that brings the notifications is gone. */
export class NotificationsEnded extends Schema.TaggedError<NotificationsEnded>()("NotificationsEnded", {
  reason: Schema.String
}) {
  override get message(): string {
    return this.reason
  }
}

export interface Sender {
  /** Texts below 8000 bytes, in their order. */
  readonly send: (texts: ReadonlyArray<string>) => Effect.Effect<void, NotificationsEnded>
  /** The pause between two calls. */
  readonly every: Duration.Duration
}

/** Hears that events were committed, whichever process committed them. They may come late, twice or not at all. */
export class Notifications extends Context.Service<
  Notifications,
  {
    /** Texts that `decodeNotification` reads, from the moment the effect returns until the scope closes. */
    readonly listen: Effect.Effect<Queue.Dequeue<string, NotificationsEnded>, NotificationsEnded, Scope.Scope>
    /** A way to tell all replicas what is stored nowhere, until the scope closes. */
    readonly sender: Effect.Effect<Sender, NotificationsEnded, Scope.Scope>
  }
>()("bytebot/Notifications") {
  /** As PostgreSQL tells them: the table's trigger notifies of every committed row. */
  static readonly postgres: Layer.Layer<Notifications, never, PgClient.PgClient> = Layer.effect(
    Notifications,
    Effect.map(PgClient.PgClient, (sql) =>
      Notifications.of({
        listen: Effect.gen(function* () {
          const heard = yield* Queue.unbounded<string, NotificationsEnded>()
          const notifications = yield* sql.listen(channel)
          yield* Queue.takeAll(notifications).pipe(
            Effect.flatMap((batch) =>
              Queue.offerAll(
                heard,
                batch.map(({ payload }) => payload)
              )
            ),
            Effect.forever,
            Effect.catch((error) => Queue.fail(heard, new NotificationsEnded({ reason: wordsOf(error) }))),
            Effect.forkScoped
          )
          return heard
        }).pipe(
          Effect.catchTag("SqlError", (error) => Effect.fail(new NotificationsEnded({ reason: wordsOf(error) })))
        ),
        sender: Effect.succeed({
          send: (texts) =>
            sql`SELECT pg_notify(${channel}, text) FROM json_array_elements_text(${JSON.stringify(texts)}::json) AS text`.pipe(
              Effect.mapError((error) => new NotificationsEnded({ reason: wordsOf(error) })),
              Effect.asVoid
            ),
          // Commits that notify wait for each other, those of tasks too: a replica adds four a second at most.
          every: Duration.millis(250)
        })
      })
    )
  )
}
