import { Clock, Context, Effect, Fiber, Layer } from "effect"
import { SqlClient } from "effect/sql"
import { DatabasePool } from "../database/DatabasePool.ts"
import { behind, type MigrationStatus, migrationStatus } from "../database/MigrationStatus.ts"
import { wordsOf } from "../database/SqlFailure.ts"
import type { DatabaseHealth } from "../domain/Health.ts"
import { Startup } from "./Startup.ts"
import { Stopping, stoppingReason } from "./Stopping.ts"

/** Longest that somebody who asks for the service's health waits for the database. */
const patience = "2 seconds"

/** How old an answer may be: many who ask at once cost the database one question. */
const freshFor = "500 millis"

/** How the service is; `reason` says why it can't work, in words, null when it can. */
export interface Checkup {
  readonly reason: string | null
  readonly database: DatabaseHealth
}

/** Whether the service can do its work. */
export class Health extends Context.Service<Health, { readonly checkup: Effect.Effect<Checkup> }>()("bytebot/Health") {
  /** Of the running service: what the database says. */
  static readonly layer = Layer.effect(
    Health,
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const pool = yield* DatabasePool
      const stopping = yield* Stopping

      const ask = Effect.gen(function* () {
        const begun = yield* Clock.currentTimeNanos
        yield* sql`SELECT 1`
        const answered = yield* Clock.currentTimeNanos
        const migrations = yield* Effect.provideService(migrationStatus, SqlClient.SqlClient, sql)
        return { roundTrip: Number(answered - begun) / 1e6, migrations }
      })

      const checkup = Effect.gen(function* () {
        const pool_stats = yield* pool.stats
        return yield* ask.pipe(
          // Whoever gave up waiting must not wait for the end of the question either.
          Effect.forkDetach,
          Effect.flatMap((asking) => Effect.timeout(Fiber.join(asking), patience)),
          Effect.map(({ migrations, roundTrip }): Checkup => {
            const { pending } = migrations
            return {
              reason: pending.length === 0 ? null : behind(pending),
              database: {
                connected: true,
                error: null,
                round_trip_ms: Math.round(roundTrip * 100) / 100,
                pool_stats,
                migrations: summaryOf(migrations)
              }
            }
          }),
          Effect.catchTags({
            SqlError: (error) => Effect.succeed(away(wordsOf(error), pool_stats)),
            TimeoutError: () => Effect.succeed(away("it does not answer", pool_stats))
          })
        )
      }).pipe(Effect.withSpan("Health.checkup"))

      const recent = yield* Effect.cachedWithTTL(checkup, freshFor)
      return Health.of({
        checkup: Effect.gen(function* () {
          const found = yield* recent
          return (yield* stopping.isLeaving) ? { ...found, reason: found.reason ?? stoppingReason } : found
        })
      })
    })
  )

  /** While the service starts. */
  static readonly starting = Layer.effect(
    Health,
    Effect.map(Startup, ({ reason }) =>
      Health.of({
        checkup: Effect.map(reason, (why): Checkup => {
          const unknown = { round_trip_ms: null, pool_stats: null, migrations: null }
          return { reason: why, database: { connected: false, error: null, ...unknown } }
        })
      })
    )
  )
}

const away = (words: string, pool_stats: DatabaseHealth["pool_stats"]): Checkup => ({
  reason: `The database is away: ${words}`,
  database: { connected: false, error: words, round_trip_ms: null, pool_stats, migrations: null }
})

const summaryOf = ({ applied, pending }: MigrationStatus): DatabaseHealth["migrations"] => {
  const last = applied.at(-1)
  return {
    applied: applied.length,
    pending,
    last: last === undefined ? null : { name: last.name, applied_at: last.appliedAt }
  }
}
