import { PgClient } from "@effect/sql-pg"
import { Context, Effect, Layer, Option, Redacted, Result, Schedule, Schema } from "effect"
import { SqlClient, type SqlError } from "effect/sql"
import { Settings } from "../config/Settings.ts"
import * as EmbeddedPostgres from "./EmbeddedPostgres.ts"
import { migrate } from "./Migrator.ts"

/** The database can't be used; the message says what to do about it. */
export class DatabaseNotReady extends Schema.TaggedError<DatabaseNotReady>()("DatabaseNotReady", {
  message: Schema.String
}) {}

/** A row may hold a file of 50 MB in base64. */
const maxMessageSize = 128 * 1024 * 1024

/** What the service stands on. */
export class Database extends Context.Service<
  Database,
  {
    readonly info: {
      readonly kind: "embedded" | "server"
      /** For people, without the password. */
      readonly description: string
    }
  }
>()("bytebot/Database") {
  /** Connects to DATABASE_URL, or starts a private server, waits until it answers, and brings the schema up to date. */
  static readonly layer = Layer.unwrap(
    Effect.gen(function* () {
      const settings = yield* Settings
      const server = Option.isSome(settings.databaseUrl)
        ? { kind: "server" as const, url: settings.databaseUrl.value, folder: "" }
        : {
            kind: "embedded" as const,
            ...(yield* EmbeddedPostgres.make({ dataDir: settings.dataDir, database: "bytebot" }))
          }
      const target = yield* parseUrl(server.url)
      yield* createDatabase(server.url, target).pipe(retryStart(settings))
      const applied = yield* migrate(server.url)
      if (applied.length > 0) yield* Effect.logInfo(`The database's schema is up to date (${applied.join(", ")})`)
      const client = PgClient.layer({
        url: server.url,
        multiplex: true,
        maxConnections: settings.databasePoolMax,
        connectTimeout: settings.databaseConnectTimeout,
        applicationName: "bytebot-agent",
        startupParameters: { timezone: "UTC" },
        maxMessageSize
      })
      const info = Layer.effect(
        Database,
        Effect.gen(function* () {
          const sql = yield* SqlClient.SqlClient
          const version = yield* Effect.flatMap(sql`SELECT current_setting('server_version') AS version`, decodeVersion)
          const place =
            server.kind === "embedded"
              ? `private, in ${server.folder}`
              : `${target.pathname.slice(1)} at ${target.host}`
          return Database.of({
            info: { kind: server.kind, description: `PostgreSQL ${version[0].version.split(" ")[0]}, ${place}` }
          })
        }).pipe(Effect.mapError((error) => new DatabaseNotReady({ message: error.message })))
      )
      return Layer.provideMerge(info, client)
    })
  )
}

const decodeVersion = Schema.decodeUnknownEffect(Schema.Tuple([Schema.Struct({ version: Schema.String })]))

const parseUrl = (url: Redacted.Redacted) =>
  Result.try(() => new URL(Redacted.value(url))).pipe(
    Result.mapError(() => new DatabaseNotReady({ message: "DATABASE_URL is not a URL" })),
    Effect.fromResult
  )

const isFinal = (error: SqlError.SqlError): boolean => error.reason._tag !== "ConnectionError"

/** Connects once, by way of the database `postgres` when the one in the URL does not exist, and creates that. */
const createDatabase = (url: Redacted.Redacted, target: URL) =>
  probe(url).pipe(
    Effect.catchIf(
      (error) => /database ".*" does not exist/.test(messageOf(error)),
      () => {
        const admin = new URL(target)
        admin.pathname = "/postgres"
        const name = decodeURIComponent(target.pathname.slice(1))
        return Effect.scoped(
          Effect.gen(function* () {
            const sql = yield* PgClient.PgClient
            yield* sql`CREATE DATABASE ${sql(name)}`.pipe(
              Effect.catchIf(
                (error) => /already exists|duplicate key/.test(messageOf(error)),
                () => Effect.void
              )
            )
            yield* Effect.logInfo(`Created the database ${name}`)
          }).pipe(Effect.provide(PgClient.layer({ url: Redacted.make(admin.href) })))
        )
      }
    )
  )

const probe = (url: Redacted.Redacted) =>
  Effect.gen(function* () {
    const sql = yield* PgClient.PgClient
    yield* sql`SELECT 1`
  }).pipe(Effect.provide(PgClient.layer({ url, maxConnections: 1 })))

/** The server's own words, wherever the driver put them. */
const messageOf = (error: SqlError.SqlError): string => {
  const cause = error.reason.cause
  return `${error.message} ${cause instanceof Error ? cause.message : ""}`
}

const retryStart =
  (settings: Settings["Service"]) =>
  <A, R>(self: Effect.Effect<A, SqlError.SqlError, R>) =>
    self.pipe(
      Effect.tapError((error) =>
        isFinal(error) ? Effect.void : Effect.logWarning("The database does not answer yet", messageOf(error))
      ),
      Effect.retry({
        while: (error) => !isFinal(error),
        schedule: Schedule.exponential("200 millis").pipe(
          Schedule.jittered,
          Schedule.upTo({ duration: settings.databaseConnectRetry })
        )
      }),
      Effect.mapError((error) => new DatabaseNotReady({ message: `The database can't be used: ${messageOf(error)}` }))
    )
