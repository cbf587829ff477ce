import { Predicate } from "effect"
import { SqlError } from "effect/sql"

/** The code of a failure: the server's SQLSTATE, or Node's (ECONNREFUSED, CERT_HAS_EXPIRED). */
export const codeOf = ({ reason: { cause } }: SqlError.SqlError): string | undefined =>
  Predicate.hasProperty(cause, "code") && typeof cause.code === "string" ? cause.code : undefined

/** What happened in the words of who said it: the server, or Node. The driver's own words are only a frame around it. */
export const wordsOf = (error: SqlError.SqlError): string => {
  const { cause } = error.reason
  const words = Predicate.hasProperty(cause, "message") && typeof cause.message === "string" ? cause.message : ""
  const detail = Predicate.hasProperty(cause, "detail") && typeof cause.detail === "string" ? ` (${cause.detail})` : ""
  // A host name with several addresses fails with an AggregateError, which has a code and no message.
  return words === "" ? (codeOf(error) ?? error.message) : `${words}${detail}`
}

/** Of operation "connect": nothing was sent, so that the caller may repeat it. */
export const connectionError = (operation: string, cause: unknown): SqlError.SqlError =>
  new SqlError.SqlError({ reason: new SqlError.ConnectionError({ cause, operation }) })

/**
 * SQLSTATEs that say something about the moment, and classes of them (PostgreSQL, appendix A): connection, resources (a full disk
 * is 53100), operator intervention, a server that does not take connections, errors of the system below; a server that has become
 * a standby (25006), and the end of a transaction that was left alone (25P03).
 */
const outageCode = /^(?:08|53|57P|58|55000|25006|25P03)/

/** Failures for which the same statement may work a moment later; everything else is a bug of ours. */
export const isOutage = (error: SqlError.SqlError): boolean =>
  error.isRetryable ||
  wasNotSent(error) ||
  error.reason._tag === "ConnectionError" ||
  error.reason._tag === "AuthenticationError" ||
  outageCode.test(codeOf(error) ?? "")

/** Failures after which the database is certainly as it was before, and the same may work at once. */
export const isUndone = (error: SqlError.SqlError): boolean =>
  wasNotSent(error) || error.reason._tag === "SerializationError" || error.reason._tag === "DeadlockError"

const wasNotSent = ({ reason }: SqlError.SqlError): boolean => reason.operation === "connect"
