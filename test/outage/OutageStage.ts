import { mkdtemp, readFile, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { PgClient } from "@effect/sql-pg"
import { Context, Effect, Layer, Redacted } from "effect"
import { Reactivity } from "effect/reactivity"
import * as EmbeddedPostgres from "../../src/database/EmbeddedPostgres.ts"
import * as Anthropic from "../emulators/anthropic.ts"
import * as Desktop from "../emulators/desktop.ts"
import { Network } from "../support/Network.ts"
import { type Decide, tap } from "../support/PostgresTap.ts"
import { uniqueName } from "../support/TestDatabase.ts"
import { startService } from "../support/TestService.ts"

/** A PostgreSQL server that may be ill-treated. */
export class Server extends Context.Service<
  Server,
  {
    readonly url: string
    /** Does not take the way through a `Network`. */
    readonly admin: PgClient.PgClient
    /** A signal for the server's first process. One that ends it is followed by a start. */
    readonly signal: (signal: NodeJS.Signals) => Effect.Effect<void>
  }
>()("test/Server") {
  static readonly layer = Layer.effect(
    Server,
    Effect.gen(function* () {
      const dataDir = yield* Effect.acquireRelease(
        Effect.promise(() => mkdtemp(join(tmpdir(), "bytebot-outage-"))),
        (folder) => Effect.promise(() => rm(folder, { recursive: true, force: true }))
      )
      const { folder, url } = yield* EmbeddedPostgres.make({
        dataDir,
        database: "postgres",
        // fsync stays on: a crash must not lose what was committed.
        settings: { max_connections: "25" }
      })
      const admin = yield* PgClient.make({ url, maxConnections: 2 })
      const pidFile = join(folder, "postgres", "postmaster.pid")
      return {
        url: Redacted.value(url),
        admin,
        signal: (signal) =>
          Effect.promise(async () => {
            const [pid] = (await readFile(pidFile, "utf8")).split("\n", 1)
            process.kill(Number(pid), signal)
          })
      }
    })
  ).pipe(Layer.provide(Reactivity.layer))
}

/**
 * The service between an emulated model and desktop, and on a way to its database that can be cut, and where `decide`, if given, says what
 * becomes of its statements. It does not wait long for answers.
 */
export const setUp = Effect.fnUntraced(function* (
  variables: Readonly<Record<string, string>> = {},
  decide: Decide | undefined = undefined
) {
  const server = yield* Server
  const database = uniqueName()
  const url = new URL(server.url)
  url.pathname = `/${database}`
  const network = yield* Network.to(decide === undefined ? url.href : (yield* tap(url.href, decide)).url)
  const model = yield* Anthropic.scoped()
  const desktop = yield* Desktop.scoped()
  const service = yield* startService({
    DATABASE_URL: network.url,
    DATABASE_STATEMENT_TIMEOUT: "1500",
    DATABASE_CONNECT_TIMEOUT: "1000",
    ANTHROPIC_API_KEY: "test-key",
    ANTHROPIC_BASE_URL: model.url,
    BYTEBOT_DESKTOP_BASE_URL: desktop.url,
    ...variables
  })
  const direct = yield* PgClient.make({ url: Redacted.make(url.href), maxConnections: 2 }).pipe(
    Effect.provide(Reactivity.layer)
  )
  return {
    url: service.url,
    database,
    network,
    model,
    desktop,
    /** A client of the service's database that takes no part in its outages. */
    direct,
    /** Ends all connections of the service. */
    terminate: server.admin`SELECT pg_terminate_backend(pid) FROM pg_stat_activity
      WHERE datname = ${database} AND application_name = 'bytebot-agent'`
  }
})

export type OutageStage = Effect.Success<ReturnType<typeof setUp>>
