import { Schema } from "effect"

const unchanged = "Everything was rolled back: the database is as it was before."

const whatToGrant = (cause: string): string =>
  /permission denied|must be owner/.test(cause)
    ? " The user in DATABASE_URL must own the tables and be allowed to create some: let an administrator make it the owner of the database, or run GRANT USAGE, CREATE ON SCHEMA public TO that user."
    : ""

/** A statement of a migration failed. */
export class MigrationFailed extends Schema.TaggedError<MigrationFailed>()("MigrationFailed", {
  migration: Schema.String,
  /** The server's words. */
  cause: Schema.String,
  statement: Schema.String
}) {
  override get message(): string {
    return `Migration ${this.migration} failed: ${this.cause}.${whatToGrant(this.cause)} ${unchanged} The statement:\n${this.statement}`
  }
}

/** A migration that the database already has was edited in `migrations/`. */
export class MigrationEdited extends Schema.TaggedError<MigrationEdited>()("MigrationEdited", {
  migration: Schema.String,
  applied: Schema.String,
  found: Schema.String
}) {
  override get message(): string {
    return (
      `The file migrations/${this.migration}.sql was changed after it had been applied to this database ` +
      `(its SHA-256 was ${this.applied}, now it is ${this.found}). Nothing was done. Restore the file, and put the change into a new one.`
    )
  }
}

/** The tables are in a state that the service does not know; nothing was touched. */
export class SchemaNotRecognised extends Schema.TaggedError<SchemaNotRecognised>()("SchemaNotRecognised", {
  /** What was found, one remark each. */
  found: Schema.Array(Schema.String)
}) {
  override get message(): string {
    return [
      "The database has tables of this service's names, but not in a state that is known. Nothing was changed. What was found:",
      ...this.found.map((remark) => `  - ${remark}`),
      "Repair that, or use another database: DATABASE_URL names it, and an empty one (or one that does not exist) will do."
    ].join("\n")
  }
}

/** The migrator's own questions to the database failed. */
export class MigratorStopped extends Schema.TaggedError<MigratorStopped>()("MigratorStopped", {
  cause: Schema.String
}) {
  override get message(): string {
    return `The database's schema could not be read or brought up to date: ${this.cause}.${whatToGrant(this.cause)} ${unchanged}`
  }
}

/** Why the schema is not up to date. */
export type MigrationError = MigrationFailed | MigrationEdited | SchemaNotRecognised | MigratorStopped
