import { Schema } from "effect"

/** The dump's file cannot be made or read. */
export class DumpFileUnusable extends Schema.TaggedError<DumpFileUnusable>()("DumpFileUnusable", {
  file: Schema.String,
  /** A whole sentence. */
  reason: Schema.String
}) {
  override get message(): string {
    return `The file ${this.file} cannot be used. ${this.reason}`
  }
}

/** The file is no dump, or not a whole one. */
export class DumpDamaged extends Schema.TaggedError<DumpDamaged>()("DumpDamaged", {
  file: Schema.String,
  line: Schema.Int,
  problem: Schema.String
}) {
  override get message(): string {
    return `${this.file} cannot be restored: ${this.problem} (line ${this.line}). Nothing was changed.`
  }
}

/** The dump's schema is not one that this version of the service can make. */
export class DumpOfOtherVersion extends Schema.TaggedError<DumpOfOtherVersion>()("DumpOfOtherVersion", {
  file: Schema.String,
  problem: Schema.String
}) {
  override get message(): string {
    return `${this.file} cannot be restored: ${this.problem}. Install the version of this service that made it, or a newer one. Nothing was changed.`
  }
}

/** The database holds nothing that could be dumped. */
export class NothingToDump extends Schema.TaggedError<NothingToDump>()("NothingToDump", {
  database: Schema.String,
  problem: Schema.String
}) {
  override get message(): string {
    return `The database (${this.database}) cannot be dumped: ${this.problem}.`
  }
}

/** Reading the database failed; there is no dump. */
export class DumpFailed extends Schema.TaggedError<DumpFailed>()("DumpFailed", {
  database: Schema.String,
  cause: Schema.String
}) {
  override get message(): string {
    return `The database (${this.database}) could not be dumped: ${this.cause}. No file was written.`
  }
}

/** The database has rows, and nobody said that they may go. */
export class DatabaseNotEmpty extends Schema.TaggedError<DatabaseNotEmpty>()("DatabaseNotEmpty", {
  database: Schema.String,
  tables: Schema.Array(Schema.String)
}) {
  override get message(): string {
    return (
      `The database (${this.database}) already has rows in ${this.tables.join(", ")}. Nothing was changed. ` +
      "Restore into another database (one that does not exist is created), or let these rows be deleted first: npm run db:restore -- --replace FILE"
    )
  }
}

/** A service works on the database. */
export class DatabaseInUse extends Schema.TaggedError<DatabaseInUse>()("DatabaseInUse", {
  database: Schema.String,
  connections: Schema.Int
}) {
  override get message(): string {
    return `The database (${this.database}) is in use by a running service (${this.connections} connections). Stop it first. Nothing was changed.`
  }
}

/** The database's tables are newer than the dump's. */
export class DatabaseNewerThanDump extends Schema.TaggedError<DatabaseNewerThanDump>()("DatabaseNewerThanDump", {
  database: Schema.String,
  migrations: Schema.Array(Schema.String)
}) {
  override get message(): string {
    return (
      `The tables (${this.database}) are newer than the dump, which is from before ${this.migrations.join(", ")}. Nothing was changed. ` +
      "Restore into another database: one that does not exist is created, and brought up to date afterwards."
    )
  }
}

/** A statement of the restore failed. */
export class RestoreFailed extends Schema.TaggedError<RestoreFailed>()("RestoreFailed", {
  database: Schema.String,
  cause: Schema.String
}) {
  override get message(): string {
    return `The dump could not be restored (${this.database}): ${this.cause}. Everything was rolled back: the database is as it was before.`
  }
}
