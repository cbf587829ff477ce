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
