import { Clock, Context, Duration, Effect, Schedule, Schema } from "effect"
import { type SqlClient, SqlError } from "effect/sql"
import { DatabaseUnavailable } from "../domain/TaskErrors.ts"
import { isOutage, isUndone } from "./SqlFailure.ts"

/** How long a unit of work is retried while the database is away. With one statement's timeout a client waits below ten seconds. */
const RetryTimeout = Context.Reference<Duration.Duration>("bytebot/RetryTimeout", {
  defaultValue: () => aMoment
})
const aMoment = Duration.seconds(2)

/** Retries without a limit, for background work; it should be interruptible. */
export const retryUntilAvailable = Effect.provideService(RetryTimeout, Duration.infinity)

/** Retries for two seconds, for the parts of background work that a person waits for. */
export const retryBriefly = Effect.provideService(RetryTimeout, aMoment)

const pauses = Schedule.min([Schedule.exponential("50 millis"), Schedule.spaced("1 second")]).pipe(Schedule.jittered)

const isSqlError = <E>(error: E): error is Extract<E, SqlError.SqlError> => SqlError.isSqlError(error)
const isSchemaError = <E>(error: E): error is Extract<E, Schema.SchemaError> => Schema.isSchemaError(error)

/** Retries after failures for which `isSafe` holds, until the timeout. */
const retried = <A, E, R>(self: Effect.Effect<A, E, R>, isSafe: (error: E) => boolean) =>
  Effect.flatMap(Clock.currentTimeMillis, (begun) =>
    // Failures are rare: the state of a retry is made after the first one.
    Effect.catchIf(self, isSafe, (error) => beginAgain(self, isSafe, { begun, error }))
  )

/** Retries a unit of work that has just failed with the error. */
const beginAgain = <A, E, R>(
  self: Effect.Effect<A, E, R>,
  isSafe: (error: E) => boolean,
  { begun, error: firstError }: { readonly begun: number; readonly error: E }
) =>
  Effect.gen(function* () {
    const timeout = Duration.toMillis(yield* RetryTimeout)
    let hasFailed = false
    const attempt = Effect.suspend(() => {
      if (hasFailed) return self
      hasFailed = true
      return Effect.fail(firstError)
    })
    return yield* Effect.retry(attempt, {
      while: (error) =>
        isSafe(error) ? Effect.map(Clock.currentTimeMillis, (now) => now - begun < timeout) : Effect.succeed(false),
      schedule: pauses
    })
  })

/** Turns an outage into `DatabaseUnavailable` (503); a wrong statement, or a row that does not fit its schema, is a defect. */
export const orUnavailable = <A, E, R>(self: Effect.Effect<A, E, R>) =>
  self.pipe(
    Effect.catchIf(isSqlError<E>, (error) =>
      isOutage(error) ? Effect.fail(new DatabaseUnavailable({ reason: error.message })) : Effect.die(error)
    ),
    Effect.catchIf(isSchemaError, Effect.die)
  )

/**
 * An idempotent unit of work: it reads, or writes rows under ids that were made outside of it. Retried after every outage, also when its
 * statement may have been carried out.
 */
export const repeatable = <A, E, R>(self: Effect.Effect<A, E, R>) =>
  orUnavailable(retried(self, (error) => isSqlError(error) && isOutage(error)))

/**
 * A writing statement that must not be carried out twice. Retried only if it was not sent, or PostgreSQL undid it, as in a deadlock (40P01)
 * or a conflict (40001).
 */
export const atMostOnce = <A, E, R>(self: Effect.Effect<A, E, R>) =>
  orUnavailable(retried(self, (error) => isSqlError(error) && isUndone(error)))

/**
 * A transaction as one unit of work; the units in it are not retried by themselves. After a failure of one, the whole is undone and retried; a
 * commit with an unknown outcome is not.
 */
export const transaction =
  (sql: SqlClient.SqlClient) =>
  <A, E, R>(self: Effect.Effect<A, E, R>) =>
    self.pipe(
      Effect.provideService(RetryTimeout, Duration.zero),
      sql.withTransaction,
      (whole) =>
        retried(whole, (error) => error instanceof DatabaseUnavailable || (isSqlError(error) && isUndone(error))),
      orUnavailable
    )
