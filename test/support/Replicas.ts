import { Effect, Scope } from "effect"
import type { SqlClient } from "effect/sql"
import { Network } from "./Network.ts"
import { type Decide, tap } from "./PostgresTap.ts"
import { freePort, type ServiceProcess, spawnService, untilReady } from "./ServiceProcess.ts"
import { until } from "./Waiting.ts"

/** A replica of the service: a process that may end and be started again, on its own way to the database. */
export interface Replica {
  readonly url: string
  /** As the others know it: its address and port for them. */
  readonly name: string
  /** Its way to PostgreSQL. */
  readonly network: Network
  readonly process: () => ServiceProcess
  /** Starts it, again if need be, and waits until it is ready. */
  readonly start: Effect.Effect<void, Error>
}

/** Not started yet. `decide` sees each of its statements. */
export const makeReplica = Effect.fnUntraced(function* (options: {
  readonly databaseUrl: string
  readonly decide: Decide
  readonly variables: Readonly<Record<string, string>>
  readonly isOneOfMany: boolean
  /** Milliseconds that a statement needs to PostgreSQL, and its answer back. */
  readonly latency?: number
}) {
  const way = yield* tap(options.databaseUrl, options.decide)
  const network = yield* Network.to(way.url, options.latency)
  const port = yield* freePort
  const clusterPort = yield* freePort
  const cluster = options.isOneOfMany
    ? { CLUSTER: "true", CLUSTER_HOST: "127.0.0.1", CLUSTER_PORT: String(clusterPort) }
    : {}
  const scope = yield* Effect.scope
  let current: ServiceProcess | undefined
  return {
    url: `http://127.0.0.1:${port}`,
    name: `127.0.0.1:${clusterPort}`,
    network,
    process: () => {
      if (current === undefined) throw new Error("the replica was never started")
      return current
    },
    start: Effect.gen(function* () {
      if (current !== undefined && !current.hasEnded()) return
      const variables = {
        ...options.variables,
        ...cluster,
        DATABASE_URL: network.url,
        // Many replicas share the tests' server.
        DATABASE_POOL_MAX: "4"
      }
      current = yield* spawnService(port, variables)
      yield* untilReady(current)
    }).pipe(Scope.provide(scope))
  } satisfies Replica
})

/** Waits until each of so many replicas has its share of the desktops: a task that begins earlier may have to move to the one that came last. */
export const untilShared = (sql: SqlClient.SqlClient, replicas: number) =>
  until(
    "the replicas have shared the shards",
    Effect.map(
      sql`SELECT 1 FROM pg_locks l JOIN pg_database d ON d.oid = l.database
        WHERE l.locktype = 'advisory' AND l.granted AND d.datname = current_database() GROUP BY l.pid HAVING count(*) > 64`,
      (sessions) => (sessions.length === replicas ? true : undefined)
    )
  )
