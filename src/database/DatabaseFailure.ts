import type { SqlError } from "effect/sql"
import { codeOf } from "./SqlFailure.ts"

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
