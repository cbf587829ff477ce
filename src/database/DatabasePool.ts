import { Socket } from "node:net"
import { PgClient, type PgConnection } from "@effect/sql-pg"
import { Context, Duration, Effect, Layer, Pool, Predicate, Schedule, type Scope } from "effect"
import { Reactivity } from "effect/reactivity"
import { SqlClient, type SqlConnection, SqlError, Statement } from "effect/sql"
import { PooledSession } from "./PooledSession.ts"
import { connectionError } from "./SqlFailure.ts"

export type PoolConfig = PgConnection.Config & {
  readonly host: string
  readonly port: number
  readonly maxConnections: number
  /** Longest wait for a lease, and longest silence of a server that owes an answer; infinity: no limit. */
  readonly timeout: Duration.Duration
}

/** The service's connections to PostgreSQL. Each is leased to one caller at a time. */
export class DatabasePool extends Context.Service<
  DatabasePool,
  {
    /** Connections of the pool; `waiting` counts callers without a lease. */
    readonly stats: Effect.Effect<Readonly<Record<"max" | "size" | "idle" | "waiting", number>>>
  }
>()("bytebot/DatabasePool") {
  /** The pool and its client. Connections are opened when they are needed, and closed after 60 s without use. */
  static readonly layer = (config: PoolConfig): Layer.Layer<DatabasePool | PgClient.PgClient | SqlClient.SqlClient> =>
    Layer.effectContext(make(config)).pipe(Layer.provide(Reactivity.layer))
}

/** Opens a session that is a member of `sessions` until the scope closes. */
const openSession = (config: PoolConfig, sessions: Set<PooledSession>, onClose: (session: PooledSession) => void) =>
  Effect.gen(function* () {
    const socket = yield* Effect.acquireRelease(
      Effect.sync(() => openSocket(config)),
      (socket) => Effect.sync(() => socket.destroySoon())
    )
    // The driver takes further sockets for requests to cancel a statement.
    const sockets = [socket]
    const client = yield* PgClient.makeClient({ ...config, stream: () => sockets.pop() ?? openSocket(config) })
    const session = new PooledSession(client, socket, config.timeout)
    socket.once("close", () => onClose(session))
    yield* Effect.acquireRelease(
      Effect.sync(() => sessions.add(session)),
      () => Effect.sync(() => sessions.delete(session))
    )
    yield* Effect.onError(session.answered(setLimits(client, config.timeout)), () => Effect.sync(() => session.drop()))
    return session
  }).pipe(Effect.mapError(notConnected))

/** As `PgClient.make`; waiting is bounded, for a lease and for an answer. */
const make = Effect.fnUntraced(function* (config: PoolConfig) {
  const run = Effect.runForkWith(yield* Effect.context())
  const sessions = new Set<PooledSession>()
  const pool: Pool.Pool<PooledSession, SqlError.SqlError> = yield* Pool.makeWithTTL({
    acquire: openSession(config, sessions, (session) => run(Pool.invalidate(pool, session))),
    min: 0,
    max: config.maxConnections,
    timeToLive: "60 seconds"
  })

  const usable: Effect.Effect<PooledSession, SqlError.SqlError, Scope.Scope> = Effect.flatMap(
    Pool.get(pool),
    (session) => (session.isSpent ? Effect.andThen(Pool.invalidate(pool, session), usable) : Effect.succeed(session))
  )
  const lease = usable.pipe(
    Effect.timeoutOrElse({ duration: config.timeout, orElse: () => Effect.fail(noLease(config)) }),
    Effect.tap((session) => Effect.addFinalizer(() => (session.isSpent ? Pool.invalidate(pool, session) : Effect.void)))
  )
  const connection = Effect.flatMap(lease, (session) =>
    Effect.map(session.client.reserve, (connection) => session.watch(connection))
  )

  const evictStalled = Effect.suspend(() =>
    Effect.forEach(sessions, (session) => {
      const { silence } = session
      if (silence <= Duration.toMillis(config.timeout)) return Effect.void
      session.drop()
      return Effect.logWarning(`The database has been silent for ${Math.round(silence)} ms: its connection is closed`)
    })
  )
  yield* Effect.forkScoped(Effect.repeat(evictStalled, Schedule.spaced("100 millis")))
  // The pool's own finalizer, which runs next, waits for the leases: a silent server would hold it up.
  yield* Effect.addFinalizer(() =>
    Effect.sync(() => {
      for (const session of sessions) if (session.silence > 0) session.drop()
    })
  )

  const client = yield* SqlClient.make({
    driver: "pg",
    acquirer: connection,
    compiler: PgClient.makeCompiler(),
    commit,
    releaseSavepoint: (name) => `RELEASE SAVEPOINT ${name}`,
    prepareTransactionControls: true,
    spanAttributes: [
      ["db.system.name", "postgresql"],
      ["db.namespace", config.database],
      ["server.address", config.host],
      ["server.port", config.port]
    ]
  })
  const pgClient = Object.assign(client, {
    [PgClient.TypeId]: PgClient.TypeId,
    config,
    json: (value: unknown) => Statement.fragment([jsonParameter(value, undefined, undefined)]),
    notify: (channel: string, payload: string) => Effect.asVoid(client`SELECT pg_notify(${channel}, ${payload})`),
    listen: Effect.fnUntraced(function* (channel: string) {
      const session = yield* lease
      const notifications = yield* session.answered(session.client.listen(channel))
      // The driver would wait for the answer to UNLISTEN.
      yield* Effect.addFinalizer(() => Effect.sync(() => session.drop()))
      return notifications
    })
  })
  const stats = Effect.map(Pool.stats(pool), ({ idle, max, pending: waiting, used }) => {
    return { max, size: idle + used, idle, waiting }
  })
  return Context.make(DatabasePool, DatabasePool.of({ stats })).pipe(
    Context.add(PgClient.PgClient, pgClient),
    Context.add(SqlClient.SqlClient, client)
  )
})

const jsonParameter = Statement.custom<PgClient.PgCustom>("PgJson")

const openSocket = ({ host, port }: PoolConfig): Socket =>
  host.startsWith("/")
    ? new Socket().connect(`${host}/.s.PGSQL.${port}`)
    : new Socket().setNoDelay().setKeepAlive(true, 15_000).connect(port, host)

/**
 * Has the server give up what the service has given up: a wait for a lock, a transaction whose client is gone, a connection from which nothing
 * is heard. Not by parameters of the start, which PgBouncer would refuse.
 */
const setLimits = (sql: SqlClient.SqlClient, timeout: Duration.Duration): Effect.Effect<unknown, SqlError.SqlError> => {
  const milliseconds = Duration.toMillis(timeout)
  if (!Number.isFinite(milliseconds)) return Effect.void
  return sql`SELECT set_config('lock_timeout', ${String(Math.ceil((milliseconds * 2) / 3))}, false),
    set_config('idle_in_transaction_session_timeout', ${String(milliseconds * 2)}, false),
    set_config('tcp_keepalives_idle', '15', false), set_config('tcp_keepalives_interval', '5', false), set_config('tcp_keepalives_count', '3', false)`
}

/** A failure before there was a session: nothing of what the caller wants was sent. */
const notConnected = (error: SqlError.SqlError) =>
  error.reason.operation === "connect" ? error : connectionError("connect", error.reason.cause)

const noLease = ({ host, port, timeout }: PoolConfig) =>
  connectionError("connect", new Error(`No connection to ${host}:${port} came free within ${Duration.format(timeout)}`))

/** PostgreSQL answers COMMIT with ROLLBACK, and no error, where a statement of the transaction has failed. */
const commit = (connection: SqlConnection.Connection) =>
  Effect.flatMap(connection.executeRaw("COMMIT", []), (result) =>
    Predicate.hasProperty(result, "command") && result.command === "ROLLBACK"
      ? Effect.fail(new SqlError.SqlError({ reason: wasRolledBack }))
      : Effect.void
  )
const wasRolledBack = new SqlError.UnknownError({
  cause: new Error("The transaction was rolled back: one of its statements had failed"),
  operation: "commit"
})
