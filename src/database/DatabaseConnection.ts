import { PgClient, PgConnection } from "@effect/sql-pg"
import { Context, Duration, Effect, Layer, Schedule } from "effect"
import { SqlClient, type SqlError } from "effect/sql"
import type { SettingsValues } from "../config/Settings.ts"
import {
  type DatabaseConnectError,
  DatabaseLoginRefused,
  DatabaseNotCreated,
  DatabaseNotUsable,
  DatabaseTlsFailed,
  DatabaseUnreachable,
  DatabaseUrlInvalid
} from "./DatabaseErrors.ts"
import { DatabasePool } from "./DatabasePool.ts"
import type { PostgresUrl } from "./PostgresUrl.ts"
import { checkFitness } from "./ServerFitness.ts"
import { codeOf, wordsOf } from "./SqlFailure.ts"

/** Bytes. A row may hold a file of 50 MB, in base64 and as JSON. */
const maxMessageSize = 128 * 1024 * 1024

/** What the server lists the service's connections as. */
export const serviceName = "bytebot-agent"

const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`

/** What every connection of the service has in common. */
const connectionOptions = (server: PostgresUrl, connectTimeout: Duration.Duration) => ({
  url: server.url,
  host: server.host,
  port: server.port,
  database: server.database,
  ...(server.ssl === undefined ? {} : { ssl: server.ssl }),
  connectTimeout,
  applicationName: serviceName,
  // A Date is sent as timestamptz and becomes the session's local time in a TIMESTAMP(3) column, which holds UTC.
  startupParameters: {
    timezone: "UTC",
    ...(server.schema === undefined || server.schema === "public" ? {} : { search_path: quoted(server.schema) })
  },
  maxMessageSize
})

/** The pool of the service. */
export const poolLayer = (
  server: PostgresUrl,
  settings: Pick<SettingsValues, "databaseConnectTimeout" | "databasePoolMax" | "databaseStatementTimeout">
) =>
  DatabasePool.layer({
    ...connectionOptions(server, settings.databaseConnectTimeout),
    maxConnections: settings.databasePoolMax,
    timeout: settings.databaseStatementTimeout
  })

/** A connection of its own for questions about the database's health: a busy pool, or large answers on its connections, do not delay them. */
export class DatabaseProbe extends Context.Service<DatabaseProbe, SqlClient.SqlClient>()("bytebot/DatabaseProbe") {
  static readonly layer = (
    server: PostgresUrl,
    settings: Pick<SettingsValues, "databaseConnectTimeout" | "databaseStatementTimeout">
  ): Layer.Layer<DatabaseProbe> =>
    Layer.effect(DatabaseProbe, SqlClient.SqlClient).pipe(
      Layer.provide(poolLayer(server, { ...settings, databasePoolMax: 1 }))
    )
}

/** A client for statements that may take as long as they like: migrations rewrite whole tables. */
export const unhurriedLayer = (server: PostgresUrl, settings: Pick<SettingsValues, "databaseConnectTimeout">) =>
  DatabasePool.layer({
    ...connectionOptions(server, settings.databaseConnectTimeout),
    maxConnections: 1,
    timeout: Duration.infinity
  })

/** One connection for a command, which fails at once when there is none to be had. */
export const commandLayer = (
  server: PostgresUrl,
  { databaseConnectTimeout }: Pick<SettingsValues, "databaseConnectTimeout">
) =>
  PgClient.layerFrom(
    PgClient.make({
      ...connectionOptions(server, databaseConnectTimeout),
      applicationName: `${serviceName} command`,
      maxConnections: 1
    }).pipe(
      Effect.tap((sql) => sql`SELECT 1`),
      Effect.mapError((error) => explain(server, error))
    )
  )

/**
 * Waits until the database answers, creates it if it does not exist, and refuses one that the service can't work with. While the server is away it is tried again, at growing
 * intervals, for as long as `databaseConnectRetry` says; failures that trying again does not mend fail at once.
 */
export const awaitDatabase = Effect.fn("DatabaseConnection.awaitDatabase")(function* (
  server: PostgresUrl,
  settings: Pick<SettingsValues, "databaseConnectTimeout" | "databaseConnectRetry">
): Effect.fn.Return<void, DatabaseConnectError> {
  const options = connectionOptions(server, settings.databaseConnectTimeout)
  const probe = Effect.scoped(Effect.flatMap(PgConnection.make(options), (session) => session.query("SELECT 1")))
  yield* probe.pipe(
    Effect.catchIf(
      (error) => codeOf(error) === "3D000",
      () => createDatabase(server, options)
    ),
    Effect.tapError((error) =>
      isPassing(error)
        ? Effect.logWarning(`The database at ${server.description} does not answer yet: ${describe(error)}`)
        : Effect.void
    ),
    Effect.retry({
      while: isPassing,
      schedule: Schedule.min([Schedule.exponential("250 millis"), Schedule.spaced("5 seconds")]).pipe(
        Schedule.jittered,
        Schedule.upTo({ duration: settings.databaseConnectRetry })
      )
    }),
    Effect.andThen(checkFitness(server, options, settings.databaseConnectTimeout)),
    Effect.catchTag("SqlError", (error) => Effect.fail(explain(server, error)))
  )
})

const createDatabase = Effect.fnUntraced(function* (
  server: PostgresUrl,
  options: ReturnType<typeof connectionOptions>
): Effect.fn.Return<void, SqlError.SqlError | DatabaseNotCreated> {
  const create = (by: string) =>
    Effect.scoped(
      Effect.gen(function* () {
        const session = yield* PgConnection.make({ ...options, url: server.withDatabase(by), database: by })
        yield* session.query(`CREATE DATABASE ${quoted(server.database)}`)
      })
    )
  yield* create("postgres").pipe(
    Effect.catchIf(
      (error) => codeOf(error) === "3D000",
      () => create("template1")
    ),
    Effect.andThen(Effect.logInfo(`Created the database ${server.database} at ${server.host}:${server.port}`)),
    // Another process has just created it.
    Effect.catchIf(
      (error) => codeOf(error) === "42P04" || codeOf(error) === "23505",
      () => Effect.void
    ),
    Effect.catchIf(
      (error) => !isPassing(error),
      (error) =>
        Effect.fail(
          new DatabaseNotCreated({
            server: `${server.host}:${server.port}`,
            database: server.database,
            user: server.user,
            cause: describe(error)
          })
        )
    )
  )
})

/** SQLSTATEs of a server that starts, stops, is full for the moment, or copies its template for another client. */
const passingStates = new Set(["57P01", "57P02", "57P03", "53300", "55006"])

const tlsCode = /^(ERR_SSL|ERR_TLS|EPROTO$|CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO_)/

const urlProblem =
  /Unrecognized sslmode|Invalid (port|connect_timeout|percent|connection URL)|Unsupported connection URL|No username/

const isTls = (error: SqlError.SqlError): boolean =>
  tlsCode.test(codeOf(error) ?? "") || /refused TLS|negotiate TLS/.test(error.message)

const isPassing = (error: SqlError.SqlError | DatabaseNotCreated): error is SqlError.SqlError => {
  if (error._tag !== "SqlError") return false
  if (passingStates.has(codeOf(error) ?? "")) return true
  return error.reason._tag === "ConnectionError" && !isTls(error) && !urlProblem.test(error.message)
}

const describe = (error: SqlError.SqlError): string => {
  const code = codeOf(error)
  const words = wordsOf(error)
  return code === undefined || words.includes(code) ? words : `${words} [${code}]`
}

const explain = (server: PostgresUrl, error: SqlError.SqlError): DatabaseConnectError => {
  const at = { server: server.description, cause: describe(error) }
  if (isTls(error)) return new DatabaseTlsFailed(at)
  if (urlProblem.test(error.message)) return new DatabaseUrlInvalid({ problem: wordsOf(error) })
  if (error.reason._tag === "AuthenticationError") return new DatabaseLoginRefused(at)
  return isPassing(error) ? new DatabaseUnreachable(at) : new DatabaseNotUsable(at)
}
