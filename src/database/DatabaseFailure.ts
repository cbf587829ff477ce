import { Effect, Schema } from "effect"
import { SqlError } from "effect/sql"
import { DatabaseUnavailable } from "../domain/TaskErrors.ts"
import { codeOf } from "./SqlFailure.ts"

/**
 * SQLSTATE classes that say something about the moment (PostgreSQL, appendix A): connection, resources, operator
 * intervention, and a server that does not take connections.
 */
const outageCode = /^(?:08|53|57P|55000)/

/** Failures for which the same statement may work a moment later; everything else is a bug of ours. */
const isOutage = (error: SqlError.SqlError): boolean =>
  error.isRetryable ||
  error.reason._tag === "ConnectionError" ||
  error.reason._tag === "AuthenticationError" ||
  outageCode.test(codeOf(error) ?? "")

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
