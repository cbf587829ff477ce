import { Schema } from "effect"

/** DATABASE_URL is not a PostgreSQL URL that can be used. */
export class DatabaseUrlInvalid extends Schema.TaggedError<DatabaseUrlInvalid>()("DatabaseUrlInvalid", {
  problem: Schema.String
}) {
  override get message(): string {
    return `DATABASE_URL cannot be used: ${this.problem}. It should look like postgresql://user:password@host:5432/name; special characters in the password are percent-encoded.`
  }
}

/** `server` is where, without the password; `cause` in the words of the server, or of Node. */
const at = { server: Schema.String, cause: Schema.String }

/** The server did not answer for as long as DATABASE_CONNECT_RETRY says. */
export class DatabaseUnreachable extends Schema.TaggedError<DatabaseUnreachable>()("DatabaseUnreachable", at) {
  override get message(): string {
    return `The database at ${this.server} does not answer: ${this.cause}. Is the server running, and are host and port in DATABASE_URL right? DATABASE_CONNECT_RETRY sets how long the service keeps trying at start.`
  }
}

/** The server answered and does not let us in; trying again would not help. */
export class DatabaseLoginRefused extends Schema.TaggedError<DatabaseLoginRefused>()("DatabaseLoginRefused", at) {
  override get message(): string {
    return `The database at ${this.server} refused the login: ${this.cause}. Check user and password in DATABASE_URL, and what the server's pg_hba.conf allows.`
  }
}

/** No encrypted connection as the URL demands it. */
export class DatabaseTlsFailed extends Schema.TaggedError<DatabaseTlsFailed>()("DatabaseTlsFailed", at) {
  override get message(): string {
    return `No encrypted connection to the database at ${this.server}: ${this.cause}. sslmode in DATABASE_URL says what is demanded: disable, prefer, require, verify-ca, verify-full (certificates are verified in all but the first), or no-verify. For a certificate authority of your own add sslrootcert=/path/to/ca.pem.`
  }
}

/** The database named in the URL does not exist and could not be created. */
export class DatabaseNotCreated extends Schema.TaggedError<DatabaseNotCreated>()("DatabaseNotCreated", {
  ...at,
  database: Schema.String,
  user: Schema.String
}) {
  override get message(): string {
    return (
      `The database ${this.database} does not exist at ${this.server}, and it could not be created: ${this.cause}. ` +
      `Let an administrator run   CREATE DATABASE "${this.database}" OWNER "${this.user}";   or   ALTER ROLE "${this.user}" CREATEDB;   and start again.`
    )
  }
}

/** The server answered, but the database is not usable. */
export class DatabaseNotUsable extends Schema.TaggedError<DatabaseNotUsable>()("DatabaseNotUsable", at) {
  override get message(): string {
    return `The database at ${this.server} cannot be used: ${this.cause}.`
  }
}

/** The database does not store text as UTF-8. */
export class DatabaseEncodingUnfit extends Schema.TaggedError<DatabaseEncodingUnfit>()("DatabaseEncodingUnfit", {
  server: Schema.String,
  database: Schema.String,
  encoding: Schema.String
}) {
  override get message(): string {
    return (
      `The database at ${this.server} stores text as ${this.encoding}; the service needs UTF8, or it loses characters. Nothing was changed. ` +
      `Let an administrator create another one, move the data by pg_dump and pg_restore, and name it in DATABASE_URL: ` +
      `CREATE DATABASE "${this.database}_utf8" ENCODING 'UTF8' TEMPLATE template0;`
    )
  }
}

/** A pooler gives each transaction another server connection. */
export class DatabasePooledByTransaction extends Schema.TaggedError<DatabasePooledByTransaction>()(
  "DatabasePooledByTransaction",
  { server: Schema.String }
) {
  override get message(): string {
    return (
      `${this.server} is a connection pooler in transaction mode (PgBouncer's pool_mode=transaction or statement): locks, LISTEN and session settings do not hold there. ` +
      "Nothing was changed. Name PostgreSQL itself in DATABASE_URL (the service has a pool of its own), or a pooler in session mode."
    )
  }
}

/** Why there is no connection to DATABASE_URL. */
export type DatabaseConnectError =
  | DatabaseUrlInvalid
  | DatabaseUnreachable
  | DatabaseLoginRefused
  | DatabaseTlsFailed
  | DatabaseNotCreated
  | DatabaseNotUsable
  | DatabaseEncodingUnfit
  | DatabasePooledByTransaction
