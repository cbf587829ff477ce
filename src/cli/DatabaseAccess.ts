import { Effect, Option, Redacted, Schema } from "effect"
import { Settings } from "../config/Settings.ts"
import { awaitDatabase } from "../database/DatabaseConnection.ts"
import { findRunningServer, findServer } from "../database/DatabaseServer.ts"
import { libpqUrl, parsePostgresUrl } from "../database/PostgresUrl.ts"
import { logLayer, print, remark } from "./Output.ts"

/** The private server has no connection string while it does not run: its port is chosen at each start. */
class PrivateServerStopped extends Schema.TaggedError<PrivateServerStopped>()("PrivateServerStopped", {
  folder: Schema.String
}) {
  override get message(): string {
    return (
      `The private PostgreSQL server in ${this.folder} does not run. ` +
      'Start the service, or the server alone: run "bytebot-agent db serve" in another terminal.'
    )
  }
}

/** DATABASE_URL is set: there is no private server to run. */
class ServerIsExternal extends Schema.TaggedError<ServerIsExternal>()("ServerIsExternal", {}) {
  override get message(): string {
    return 'DATABASE_URL names a PostgreSQL server, which runs by itself. "bytebot-agent db url" prints its address.'
  }
}

const printUrl = (url: Redacted.Redacted<string>) => print(libpqUrl(Redacted.value(url)))

/** `db url`: prints the address of DATABASE_URL's server, or of the private one where it runs. */
export const showUrl = Effect.gen(function* () {
  const settings = yield* Settings
  if (Option.isSome(settings.databaseUrl)) {
    yield* parsePostgresUrl(settings.databaseUrl.value)
    return yield* printUrl(settings.databaseUrl.value)
  }
  const running = yield* findRunningServer(settings)
  if (Option.isNone(running)) return yield* new PrivateServerStopped({ folder: settings.dataDir })
  yield* printUrl(running.value.server.url)
}).pipe(Effect.provide(Settings.layer), Effect.provide(logLayer))

/** `db serve`: runs the private server, with its data created if need be, until the command is interrupted. */
export const serve = Effect.gen(function* () {
  const settings = yield* Settings
  if (Option.isSome(settings.databaseUrl)) return yield* new ServerIsExternal()
  const { place, server } = yield* findServer(settings)
  yield* awaitDatabase(server, settings)
  yield* printUrl(server.url)
  yield* remark(`The PostgreSQL server (${place}) runs until Ctrl-C; the service cannot be started meanwhile.`)
  return yield* Effect.never
}).pipe(Effect.scoped, Effect.provide(Settings.layer), Effect.provide(logLayer))
