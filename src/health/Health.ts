import { Clock, Context, Data, Effect, Fiber, Layer, Schema } from "effect"
import { SqlClient } from "effect/sql"
import { DatabaseProbe } from "../database/DatabaseConnection.ts"
import { DatabasePool } from "../database/DatabasePool.ts"
import { behind, type MigrationStatus, migrationStatus } from "../database/Migrator.ts"
import { codeOf, wordsOf } from "../database/SqlFailure.ts"
import type { DatabaseHealth } from "../domain/Health.ts"
import { Startup } from "../observability/Startup.ts"
import { Stopping, stoppingReason } from "./Stopping.ts"

/** Looks at the clock that pass until the database counts as silent: two seconds, and more while the process itself is too busy to look. */
const looks = 20
const lookEvery = "100 millis"

/** How old an answer may be: concurrent callers cost the database one question. */
const checkupValidFor = "500 millis"

/** How often it is tried whether the database's disk takes data. */
const writtenEvery = "10 seconds"

/** SQLSTATE of PostgreSQL where its disk is full. */
const diskFull = "53100"
const fullDisk = "The database's disk is full. Free some space there; nothing can be stored meanwhile"
const readOnly =
  "The database is read-only. Connect to the primary, or see default_transaction_read_only; nothing can be stored meanwhile"

const decodeSession = Schema.decodeUnknownEffect(Schema.Array(Schema.Struct({ readOnly: Schema.String })))

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
      const sql = yield* DatabaseProbe
      const pool = yield* DatabasePool
      const stopping = yield* Stopping

      // PostgreSQL writes what does not fit in `work_mem` to its disk: 48 kB here, and nothing that stays.
      const disk = yield* sql`SELECT set_config('work_mem', '64kB', true)`.pipe(
        Effect.andThen(sql`SELECT count(*) FROM generate_series(1, 10000)`),
        sql.withTransaction,
        Effect.as(null),
        Effect.catch((error) => Effect.succeed(codeOf(error) === diskFull ? fullDisk : null)),
        Effect.cachedWithTTL(writtenEvery)
      )

      const ask = Effect.gen(function* () {
        const begun = yield* Clock.currentTimeNanos
        const [session] = yield* decodeSession(
          yield* sql`SELECT current_setting('transaction_read_only') AS "readOnly"`
        )
        const answered = yield* Clock.currentTimeNanos
        const migrations = yield* Effect.provideService(migrationStatus, SqlClient.SqlClient, sql)
        const unwritable = session?.readOnly === "on" ? readOnly : yield* disk
        return { roundTrip: Number(answered - begun) / 1e6, migrations, unwritable }
      })

      const checkup = Effect.gen(function* () {
        const pool_stats = yield* pool.stats
        return yield* ask.pipe(
          // A caller that gave up does not wait for the end of the question.
          Effect.forkDetach,
          Effect.flatMap((asking) => Effect.raceFirst(Fiber.join(asking), silence)),
          Effect.map(({ migrations, roundTrip, unwritable }): Checkup => {
            const { pending } = migrations
            return {
              reason: unwritable ?? (pending.length === 0 ? null : behind(pending)),
              database: {
                connected: true,
                error: unwritable,
                round_trip_ms: Math.round(roundTrip * 100) / 100,
                pool_stats,
                migrations: summaryOf(migrations)
              }
            }
          }),
          Effect.catchTags({
            SchemaError: Effect.die,
            SqlError: (error) => Effect.succeed(away(wordsOf(error), pool_stats)),
            DatabaseSilent: () => Effect.succeed(away("it does not answer", pool_stats))
          })
        )
      }).pipe(Effect.withSpan("Health.checkup"))

      const recent = yield* Effect.cachedWithTTL(checkup, checkupValidFor)
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

/** The database has not answered. */
class DatabaseSilent extends Data.TaggedError("DatabaseSilent") {}

/** Fails after two seconds in which the process could have taken an answer. */
const silence = Effect.sleep(lookEvery).pipe(
  Effect.repeat({ times: looks - 1 }),
  Effect.andThen(Effect.fail(new DatabaseSilent()))
)

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
