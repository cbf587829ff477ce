import { Clock, Context, Duration, Effect, Schedule, Schema } from "effect"
import { type SqlClient, SqlError } from "effect/sql"
import { DatabaseUnavailable } from "../domain/TaskErrors.ts"
import { isOutage, isUndone } from "./DatabaseFailure.ts"

/**
 * How long a unit of work is begun again while the database is away. A client's request waits for a moment only: together with the
 * time that one statement may take it stays below ten seconds. Work that nobody waits for may wait for as long as it takes.
 */
const DatabasePatience = Context.Reference<Duration.Duration>("bytebot/DatabasePatience", {
  defaultValue: () => aMoment
})
const aMoment = Duration.seconds(2)

/** For work that nobody waits for; it should be interruptible. */
export const withoutHaste = Effect.provideService(DatabasePatience, Duration.infinity)

/** For a part of such work that somebody does wait for. */
export const inHaste = Effect.provideService(DatabasePatience, aMoment)

const pauses = Schedule.min([Schedule.exponential("50 millis"), Schedule.spaced("1 second")]).pipe(Schedule.jittered)

const isSqlError = <E>(error: E): error is Extract<E, SqlError.SqlError> => SqlError.isSqlError(error)
const isSchemaError = <E>(error: E): error is Extract<E, Schema.SchemaError> => Schema.isSchemaError(error)

/** Begins again after failures of which `isSafe` says that this is safe, as long as there is patience. */
const retried = <A, E, R>(self: Effect.Effect<A, E, R>, isSafe: (error: E) => boolean) =>
  Effect.flatMap(Clock.currentTimeMillis, (begun) =>
    // Almost nothing fails: what it takes to begin again is made when something does.
    Effect.catchIf(self, isSafe, (error) => beginAgain(self, isSafe, { begun, error }))
  )

/** As retrying what has just failed with this error. */
const beginAgain = <A, E, R>(
  self: Effect.Effect<A, E, R>,
  isSafe: (error: E) => boolean,
  { begun, error: firstError }: { readonly begun: number; readonly error: E }
) =>
  Effect.gen(function* () {
    const patience = Duration.toMillis(yield* DatabasePatience)
    let hasFailed = false
    const attempt = Effect.suspend(() => {
      if (hasFailed) return self
      hasFailed = true
      return Effect.fail(firstError)
    })
    return yield* Effect.retry(attempt, {
      while: (error) =>
        isSafe(error) ? Effect.map(Clock.currentTimeMillis, (now) => now - begun < patience) : Effect.succeed(false),
      schedule: pauses
    })
  })

/**
 * What remains of failures: an outage becomes `DatabaseUnavailable` (503); a wrong statement, or a row that does not fit its
 * schema, is a defect.
 */
export const orUnavailable = <A, E, R>(self: Effect.Effect<A, E, R>) =>
  self.pipe(
    Effect.catchIf(isSqlError<E>, (error) =>
      isOutage(error) ? Effect.fail(new DatabaseUnavailable({ reason: error.message })) : Effect.die(error)
    ),
    Effect.catchIf(isSchemaError, Effect.die)
  )

/**
 * A unit of work that may be done twice, as the second time changes nothing: it reads, or it writes rows under ids that were made
 * outside of it, and knows them again. It is begun again after every outage, also when its statement may have been carried out.
 */
export const repeatable = <A, E, R>(self: Effect.Effect<A, E, R>) =>
  orUnavailable(retried(self, (error) => isSqlError(error) && isOutage(error)))

/**
 * A unit of work, of one writing statement, that must not be done twice. It is begun again only when nothing can have come of it:
 * there was no connection to send it on, or PostgreSQL undid it, as in a deadlock (40P01) or conflict (40001).
 */
export const atMostOnce = <A, E, R>(self: Effect.Effect<A, E, R>) =>
  orUnavailable(retried(self, (error) => isSqlError(error) && isUndone(error)))

/**
 * A transaction as one unit of work; the units in it are not begun again by themselves. When one of them failed all is undone, and
 * it is begun again from the start; a commit of which nobody knows whether it happened is not repeated.
 */
export const transaction =
  (sql: SqlClient.SqlClient) =>
  <A, E, R>(self: Effect.Effect<A, E, R>) =>
    self.pipe(
      Effect.provideService(DatabasePatience, Duration.zero),
      sql.withTransaction,
      (whole) =>
        retried(whole, (error) => error instanceof DatabaseUnavailable || (isSqlError(error) && isUndone(error))),
      orUnavailable
    )
