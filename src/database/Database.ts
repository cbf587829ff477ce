import { relative } from "node:path"
import type { PgClient } from "@effect/sql-pg"
import { Context, Effect, Layer, Option, type Scope } from "effect"
import { SqlClient, type SqlError } from "effect/sql"
import { Settings, type SettingsValues } from "../config/Settings.ts"
import { awaitDatabase, poolLayer } from "./DatabaseConnection.ts"
import { type DatabaseConnectError, DatabaseNotUsable } from "./DatabaseErrors.ts"
import * as EmbeddedPostgres from "./EmbeddedPostgres.ts"
import type { EmbeddedPostgresError } from "./EmbeddedPostgresErrors.ts"
import type { MigrationError } from "./MigrationErrors.ts"
import { migrate } from "./Migrator.ts"
import { type PostgresUrl, parsePostgresUrl } from "./PostgresUrl.ts"
import { wordsOf } from "./SqlFailure.ts"

/** Why the service has no database; each message says what to do about it. */
export type DatabaseStartupError = EmbeddedPostgresError | DatabaseConnectError | MigrationError

/** The database behind the service, up to date and ready for queries by `PgClient` (or `SqlClient`). */
export class Database extends Context.Service<
  Database,
  {
    readonly info: {
      /** `embedded`: the service's own private server; `server`: the one of DATABASE_URL. */
      readonly kind: "embedded" | "server"
      /** For people, without the password: "PostgreSQL 18.4, private, in .data/postgres". */
      readonly description: string
    }
  }
>()("bytebot/Database") {
  /**
   * Connects to DATABASE_URL, or starts a private server under BYTEBOT_DATA_DIR that stops with the layer; creates the database when it
   * is missing, waits until it answers, and brings the schema up to date.
   */
  static readonly layer: Layer.Layer<
    Database | PgClient.PgClient | SqlClient.SqlClient,
    DatabaseStartupError,
    Settings
  > = Layer.unwrap(
    Effect.gen(function* () {
      const settings = yield* Settings
      const { kind, place, server } = yield* findServer(settings)
      yield* awaitDatabase(server, settings)
      const database = Layer.effect(
        Database,
        Effect.gen(function* () {
          const { applied } = yield* migrate
          if (applied.length > 0) yield* Effect.logInfo(`Applied to the database: ${applied.join(", ")}`)
          return Database.of({ info: { kind, description: `PostgreSQL ${yield* serverVersion}, ${place}` } })
        }).pipe(Effect.catchTag("SqlError", (error) => Effect.fail(notUsable(server, error))))
      )
      return Layer.provideMerge(database, poolLayer(server, settings))
    })
  )
}

interface Found {
  readonly kind: Database["Service"]["info"]["kind"]
  readonly place: string
  readonly server: PostgresUrl
}

/** Connections beyond the pool's: the owner's, and a person's with psql. */
const spareConnections = 20

const findServer = Effect.fn("Database.findServer")(function* (
  settings: SettingsValues
): Effect.fn.Return<Found, DatabaseConnectError | EmbeddedPostgresError, Scope.Scope> {
  if (Option.isSome(settings.databaseUrl)) {
    const server = yield* parsePostgresUrl(settings.databaseUrl.value)
    return { kind: "server", place: `at ${server.description}`, server }
  }
  const { folder, url } = yield* EmbeddedPostgres.make({
    dataDir: settings.dataDir,
    database: "bytebot",
    settings: { max_connections: String(settings.databasePoolMax + spareConnections) }
  })
  const shown = relative(process.cwd(), folder)
  return {
    kind: "embedded",
    place: `private, in ${shown.startsWith("..") ? folder : shown}/postgres`,
    server: yield* parsePostgresUrl(url)
  }
})

const notUsable = ({ description }: PostgresUrl, error: SqlError.SqlError) =>
  new DatabaseNotUsable({ server: description, cause: wordsOf(error) })

const serverVersion = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  const [row] = yield* sql<{ version: string }>`SELECT split_part(current_setting('server_version'), ' ', 1) AS version`
  return row?.version ?? "of unknown version"
})
