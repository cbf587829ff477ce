import type { PgClient } from "@effect/sql-pg"
import { Context, Effect, Layer } from "effect"
import { SqlClient, type SqlError } from "effect/sql"
import { Settings } from "../config/Settings.ts"
import { Startup } from "../observability/Startup.ts"
import { awaitDatabase, DatabaseProbe, poolLayer, unhurriedLayer } from "./DatabaseConnection.ts"
import { type DatabaseConnectError, DatabaseNotUsable } from "./DatabaseErrors.ts"
import type { DatabasePool } from "./DatabasePool.ts"
import { findServer } from "./DatabaseServer.ts"
import type { EmbeddedPostgresError } from "./EmbeddedPostgresErrors.ts"
import type { MigrationError } from "./MigrationErrors.ts"
import { behind, migrate, migrationStatus } from "./Migrator.ts"
import type { PostgresUrl } from "./PostgresUrl.ts"
import { wordsOf } from "./SqlFailure.ts"

/** Why the service has no database; each message says what to do about it. */
export type DatabaseStartupError = EmbeddedPostgresError | DatabaseConnectError | MigrationError

/** How often a service that does not migrate by itself reads the migrations' status. */
const lookEvery = "1 second"

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
   * is missing, waits until it answers, and brings the schema up to date; with MIGRATE_ON_START=false it waits for `migrate up`.
   */
  static readonly layer: Layer.Layer<
    Database | DatabasePool | DatabaseProbe | PgClient.PgClient | SqlClient.SqlClient,
    DatabaseStartupError,
    Settings | Startup
  > = Layer.unwrap(
    Effect.gen(function* () {
      const settings = yield* Settings
      const startup = yield* Startup
      yield* startup.wait("The service waits for its database")
      const { kind, place, server } = yield* findServer(settings)
      yield* awaitDatabase(server, settings)
      const database = Layer.effect(
        Database,
        Effect.gen(function* () {
          if (settings.migrateOnStart) {
            yield* startup.wait("The service brings the schema of its database up to date")
            const { applied } = yield* Effect.provide(migrate, unhurriedLayer(server, settings))
            if (applied.length > 0) yield* Effect.logInfo(`Applied to the database: ${applied.join(", ")}`)
          } else yield* awaitMigrations
          return Database.of({ info: { kind, description: `PostgreSQL ${yield* serverVersion}, ${place}` } })
        }).pipe(Effect.catchTag("SqlError", (error) => Effect.fail(notUsable(server, error))))
      )
      return Layer.provideMerge(
        database,
        Layer.merge(poolLayer(server, settings), DatabaseProbe.layer(server, settings))
      )
    })
  )
}

/** Waits until the schema is up to date, also through an outage. */
const awaitMigrations = Effect.gen(function* () {
  const startup = yield* Startup
  let told = ""
  for (;;) {
    const status = yield* Effect.result(migrationStatus)
    if (status._tag === "Success" && status.success.pending.length === 0) return
    const reason =
      status._tag === "Success" ? behind(status.success.pending) : `The database is away: ${wordsOf(status.failure)}`
    yield* startup.wait(reason)
    if (reason !== told) yield* Effect.logWarning(reason)
    told = reason
    yield* Effect.sleep(lookEvery)
  }
})

const notUsable = ({ description }: PostgresUrl, error: SqlError.SqlError) =>
  new DatabaseNotUsable({ server: description, cause: wordsOf(error) })

const serverVersion = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  const [row] = yield* sql<{ version: string }>`SELECT split_part(current_setting('server_version'), ' ', 1) AS version`
  return row?.version ?? "of unknown version"
})
