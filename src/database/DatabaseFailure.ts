import { Effect, Schema } from "effect"
import { SqlError } from "effect/sql"
import { DatabaseUnavailable } from "../domain/TaskErrors.ts"

/** Failures of a statement that say something about the moment; everything else is a bug of ours. */
const isOutage = (error: SqlError.SqlError): boolean =>
  error.isRetryable || error.reason._tag === "ConnectionError" || error.reason._tag === "AuthenticationError"

const isSqlError = <E>(error: E): error is Extract<E, SqlError.SqlError> => SqlError.isSqlError(error)
const isSchemaError = <E>(error: E): error is Extract<E, Schema.SchemaError> => Schema.isSchemaError(error)

/**
 * Turns failures of statements into what callers can act on: an outage becomes `DatabaseUnavailable` (503); a wrong
 * statement, or a row that does not fit its schema, is a defect.
 */
export const orUnavailable = <A, E, R>(self: Effect.Effect<A, E, R>) =>
  self.pipe(
    Effect.catchIf(isSqlError<E>, (error) =>
      isOutage(error) ? Effect.fail(new DatabaseUnavailable({ reason: error.message })) : Effect.die(error)
    ),
    Effect.catchIf(isSchemaError, Effect.die)
  )
