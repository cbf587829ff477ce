import { relative } from "node:path"
import { Effect, Option, type Redacted, type Scope } from "effect"
import type { SettingsValues } from "../config/Settings.ts"
import type { DatabaseUrlInvalid } from "./DatabaseErrors.ts"
import * as EmbeddedPostgres from "./EmbeddedPostgres.ts"
import type { EmbeddedPostgresError, NoPrivateData } from "./EmbeddedPostgresErrors.ts"
import { type PostgresUrl, parsePostgresUrl } from "./PostgresUrl.ts"

/** Where the settings say that the data are. */
export interface DatabaseServer {
  /** `embedded`: the service's own private server; `server`: the one of DATABASE_URL. */
  readonly kind: "embedded" | "server"
  /** For people, without the password: "private, in .data/postgres". */
  readonly place: string
  readonly server: PostgresUrl
}

type ServerSettings = Pick<SettingsValues, "databaseUrl" | "dataDir" | "databasePoolMax">

/** The server of DATABASE_URL, or a private one under BYTEBOT_DATA_DIR, created if need be, that stops with the scope. */
export const findServer = Effect.fn("DatabaseServer.find")(function* (
  settings: ServerSettings
): Effect.fn.Return<DatabaseServer, DatabaseUrlInvalid | EmbeddedPostgresError, Scope.Scope> {
  if (Option.isSome(settings.databaseUrl)) return yield* givenServer(settings.databaseUrl.value)
  return yield* privateServer(yield* EmbeddedPostgres.make(privateOptions(settings)))
})

/** The same to look at what is there: no data are created, and the private server of a running service is shared. */
export const findServerWithData = Effect.fn("DatabaseServer.findWithData")(function* (
  settings: ServerSettings
): Effect.fn.Return<DatabaseServer, DatabaseUrlInvalid | EmbeddedPostgresError | NoPrivateData, Scope.Scope> {
  if (Option.isSome(settings.databaseUrl)) return yield* givenServer(settings.databaseUrl.value)
  return yield* privateServer(yield* EmbeddedPostgres.visit(privateOptions(settings)))
})

/** The private server of BYTEBOT_DATA_DIR where it runs, for the service or by itself; none is started. */
export const findRunningServer = Effect.fn("DatabaseServer.findRunning")(function* (
  settings: ServerSettings
): Effect.fn.Return<Option.Option<DatabaseServer>, DatabaseUrlInvalid | EmbeddedPostgresError | NoPrivateData> {
  const running = yield* EmbeddedPostgres.running(privateOptions(settings))
  return Option.isNone(running) ? Option.none() : Option.some(yield* privateServer(running.value))
})

const givenServer = (url: Redacted.Redacted) =>
  Effect.map(
    parsePostgresUrl(url),
    (server) => ({ kind: "server", place: `at ${server.description}`, server }) satisfies DatabaseServer
  )

const privateServer = ({ folder, url }: EmbeddedPostgres.EmbeddedPostgres) => {
  const shown = relative(process.cwd(), folder)
  const place = `private, in ${shown.startsWith("..") ? folder : shown}/postgres`
  return Effect.map(parsePostgresUrl(url), (server) => ({ kind: "embedded", place, server }) satisfies DatabaseServer)
}

/** Connections beyond the pool's: the owner's, a dump's, and a person's with psql. */
const spareConnections = 20

const privateOptions = ({ databasePoolMax, dataDir }: ServerSettings): EmbeddedPostgres.EmbeddedPostgresOptions => ({
  dataDir,
  database: "bytebot",
  settings: { max_connections: String(databasePoolMax + spareConnections) }
})
