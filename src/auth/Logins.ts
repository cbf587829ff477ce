import { PgClient } from "@effect/sql-pg"
import { Cause, Context, Deferred, Effect, Layer, Queue, Schedule, Schema, type Scope } from "effect"
import { Settings } from "../config/Settings.ts"

/** The channel on which triggers notify of deleted sessions and keys (migrations, "notifyLoginEnded"). */
const channel = "bytebot_logins"

/** How often logins in use are checked: the database does not notify when one expires. */
const lookEvery = "30 seconds"

/** A holder of connections that last as long as their logins. */
export interface LoginFollower {
  /** Ids of the sessions and keys of its connections. */
  readonly inUse: () => Iterable<string>
  /** Called when a login has ended, also one that is not in use. */
  readonly ended: (id: string) => void
}

/** Notifies open connections of the end of their session or key, whichever replica ended it. */
export class Logins extends Context.Service<
  Logins,
  {
    /** Notifies the follower until the scope closes. */
    readonly follow: (follower: LoginFollower) => Effect.Effect<void, never, Scope.Scope>
    /** Waits for the end of the login; never returns without a login. */
    readonly untilEnded: (login: { readonly id: string } | null) => Effect.Effect<void>
  }
>()("bytebot/Logins") {
  /** While accounts are off: nothing ever ends. */
  static readonly off = Layer.succeed(Logins, Logins.of({ follow: () => Effect.void, untilEnded: () => Effect.never }))

  /** As AUTH_ENABLED says. */
  static readonly configured = Layer.unwrap(
    Effect.map(Settings, ({ authEnabled }) => (authEnabled ? Logins.layer : Logins.off))
  )

  static readonly layer = Layer.effect(
    Logins,
    Effect.gen(function* () {
      const sql = yield* PgClient.PgClient
      const followers = new Set<LoginFollower>()
      const tell = (id: string) => {
        for (const { ended } of followers) ended(id)
      }

      /** Checks which logins in use have expired, or ended without a notification. */
      const look = Effect.gen(function* () {
        const inUse = [...new Set([...followers].flatMap((follower) => [...follower.inUse()]))]
        if (inUse.length === 0) return
        const rows = yield* sql`
          SELECT u."id" FROM json_array_elements_text(${JSON.stringify(inUse)}::json) AS u("id")
          WHERE NOT EXISTS (SELECT 1 FROM "Session" s WHERE s."id" = u."id" AND s."expiresAt" > now() AT TIME ZONE 'UTC')
            AND NOT EXISTS (SELECT 1 FROM "ApiKey" k WHERE k."id" = u."id" AND (k."expiresAt" IS NULL OR k."expiresAt" > now() AT TIME ZONE 'UTC'))`
        for (const { id } of yield* decodeIds(rows)) tell(id)
      })

      const listen = Effect.gen(function* () {
        const notifications = yield* sql.listen(channel)
        yield* look
        return yield* Effect.raceFirst(
          Queue.take(notifications).pipe(
            Effect.map(({ payload }) => tell(payload)),
            Effect.forever
          ),
          Effect.forever(Effect.andThen(Effect.sleep(lookEvery), look))
        )
      }).pipe(Effect.scoped)

      yield* listen.pipe(
        Effect.catchCause((cause) => Effect.logWarning("Ends of logins are delayed", Cause.pretty(cause))),
        Effect.repeat(Schedule.spaced("1 second")),
        Effect.forkScoped
      )

      return Logins.of({
        follow: (follower) =>
          Effect.asVoid(
            Effect.acquireRelease(
              Effect.sync(() => followers.add(follower)),
              () => Effect.sync(() => followers.delete(follower))
            )
          ),
        untilEnded: (login) =>
          login === null
            ? Effect.never
            : Effect.gen(function* () {
                const over = yield* Deferred.make<void>()
                const follower: LoginFollower = {
                  inUse: () => [login.id],
                  ended: (id) => {
                    if (id === login.id) Deferred.doneUnsafe(over, Effect.void)
                  }
                }
                followers.add(follower)
                yield* Effect.ensuring(
                  Deferred.await(over),
                  Effect.sync(() => followers.delete(follower))
                )
              })
      })
    })
  )
}

const decodeIds = Schema.decodeUnknownEffect(Schema.Array(Schema.Struct({ id: Schema.String })))
