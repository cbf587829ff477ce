import { PgClient } from "@effect/sql-pg"
import { Context, Duration, Effect, Exit, Layer, Pool, Predicate, Schedule, Scope } from "effect"
import { Reactivity } from "effect/reactivity"
import { SqlClient, type SqlConnection, SqlError, Statement } from "effect/sql"
import { openSession, PooledSession, type SessionConfig, sqlConnection } from "./PooledSession.ts"

export interface PoolConfig extends SessionConfig {
  readonly database: string
  readonly maxConnections: number
}

/** How many statements may be on their way on one connection. Sent together they cost a third of what they cost one by one. */
const statementsPerConnection = 32

/** A connection whose server is silent for so long gets no more statements for now: they would wait behind a slow one. */
const slow = Duration.toMillis("100 millis")

/** The connections of the service to PostgreSQL, as its health shows them. */
export class DatabasePool extends Context.Service<
  DatabasePool,
  {
    readonly stats: Effect.Effect<{
      /** Most connections at a time. */
      readonly max: number
      /** Open connections. */
      readonly size: number
      /** Open connections that nobody uses. */
      readonly idle: number
      /** Those that wait for a connection, or for the answer to somebody else's statement on the same one. */
      readonly waiting: number
    }>
  }
>()("bytebot/DatabasePool") {
  /**
   * The pool and its client. Connections are opened when they are needed. Statements share them; transactions, streams and
   * listeners get one of their own.
   */
  static readonly layer = (config: PoolConfig): Layer.Layer<DatabasePool | PgClient.PgClient | SqlClient.SqlClient> =>
    Layer.effectContext(
      Effect.gen(function* () {
        const { client, stats } = yield* make(config)
        return Context.make(DatabasePool, DatabasePool.of({ stats })).pipe(
          Context.add(PgClient.PgClient, client),
          Context.add(SqlClient.SqlClient, client)
        )
      })
    ).pipe(Layer.provide(Reactivity.layer))
}

/** As `PgClient.make`, whose pool does not tell what it holds, and keeps connections that are dead without having been closed. */
const make = Effect.fnUntraced(function* (config: PoolConfig) {
  const sessions = new Set<PooledSession>()
  const run = Effect.runForkWith(yield* Effect.context())
  const invalidate = (session: PooledSession) => run(Pool.invalidate(pool, session))
  const pool: Pool.Pool<PooledSession | NotOpened> = yield* Pool.makeWithTTL({
    acquire: Effect.acquireRelease(
      Effect.tap(openSession({ ...config, multiplex: true }, invalidate), (session) =>
        Effect.sync(() => sessions.add(session))
      ),
      (session) => Effect.sync(() => sessions.delete(session)),
      { interruptible: true }
    ).pipe(Effect.catch((error) => Effect.succeed(new NotOpened(error)))),
    min: 0,
    max: config.maxConnections,
    concurrency: statementsPerConnection,
    timeToLive: "60 seconds"
  })
  let waiting = 0

  const hasRoom = () => {
    if (waiting > 0) return false
    for (const session of sessions) {
      if (session.isOpen && session.reservations === 0 && session.users < statementsPerConnection) return true
    }
    return false
  }

  const reserved = (session: PooledSession) =>
    Effect.andThen(
      Effect.acquireRelease(
        Effect.sync(() => {
          session.reservations += 1
        }),
        () =>
          Effect.sync(() => {
            session.reservations -= 1
          })
      ),
      Pool.reserve(pool, session)
    )

  /** A connection, or why there is none; what failed before somebody asked is not theirs. */
  const get = (asked: number): Effect.Effect<PooledSession, SqlError.SqlError, Scope.Scope> =>
    Effect.flatMap(Pool.get(pool), (item) => {
      if (item instanceof PooledSession) return Effect.succeed(item)
      return Effect.andThen(Pool.invalidate(pool, item), item.at < asked ? get(asked) : Effect.fail(item.error))
    })

  /** Waits for a connection, but not for ever. */
  const lease = Effect.suspend(() => {
    waiting += 1
    return get(performance.now()).pipe(
      Effect.timeoutOrElse({ duration: config.patience, orElse: () => Effect.fail(noConnection(config)) }),
      Effect.ensuring(
        Effect.sync(() => {
          waiting -= 1
        })
      )
    )
  })

  /** A connection that nobody else has for itself: between its leave of the pool and now, another one may have taken it. */
  const taken: Effect.Effect<PooledSession, SqlError.SqlError, Scope.Scope> = Effect.gen(function* () {
    const scope = yield* Scope.fork(yield* Effect.scope)
    const session = yield* Scope.provide(lease, scope)
    const isTaken = yield* Effect.acquireRelease(
      Effect.sync(() => session.take()),
      (isTaken, exit) => {
        if (!isTaken) return Effect.void
        session.giveBack()
        // A stream may have been broken off.
        return Exit.hasInterrupts(exit) ? Pool.invalidate(pool, session) : Effect.void
      }
    ).pipe(Scope.provide(scope))
    if (isTaken) return session
    yield* Scope.close(scope, Exit.void)
    return yield* taken
  })

  const exclusive = Effect.gen(function* () {
    const session = yield* taken
    yield* reserved(session)
    yield* session.unshared
    // Waits, and can't be interrupted, until everything on its way is answered, also what nobody waits for any more.
    const connection = yield* session.awaiting(session.connection.pin)
    yield* nextMicrotask
    return { session, connection }
  })
  const exclusiveConnection = Effect.map(exclusive, ({ connection, session }) => sqlConnection(session, connection))

  const shared = <A, E, R>(statement: (connection: SqlConnection.Connection) => Effect.Effect<A, E, R>) => {
    const leased = (): Effect.Effect<A, E | SqlError.SqlError, R> =>
      Effect.scoped(Effect.flatMap(lease, (session) => session.share(statement, leased)))
    return hasRoom()
      ? Pool.use(pool, (item) => (item instanceof PooledSession ? item.share(statement, leased) : leased()))
      : leased()
  }

  /**
   * Effect's pool (4.1.0) wakes nobody when a connection is reserved between the moment at which it came free and the one at which those who
   * wait for it would look: they would sleep on, though there may be more connections. Whoever comes has it look again.
   */
  const nudge = Effect.suspend(() =>
    waiting === 0
      ? Effect.void
      : Effect.scoped(get(performance.now())).pipe(Effect.timeoutOption(slow), Effect.ignore, Effect.forkChild)
  )

  /** Keeps new statements away from the slow connections, and drops those that are dead. */
  const supervise = Effect.gen(function* () {
    const aside = new Map<PooledSession, Scope.Closeable>()
    const patience = Duration.toMillis(config.patience)
    const inspect = Effect.fnUntraced(function* (session: PooledSession) {
      const { silence } = session
      const setAside = aside.get(session)
      if (setAside !== undefined && (silence === 0 || !session.isOpen)) {
        aside.delete(session)
        yield* Scope.close(setAside, Exit.void)
      }
      if (silence > slow && setAside === undefined) {
        const scope = yield* Scope.make()
        aside.set(session, scope)
        yield* Scope.provide(reserved(session), scope)
      }
      if (silence > patience) {
        yield* Effect.logWarning(
          `The database has not answered for ${Math.round(silence / 1000)} seconds: giving the connection up`
        )
        session.drop()
      }
    })
    return yield* Effect.suspend(() =>
      Effect.forEach(new Set([...sessions, ...aside.keys()]), inspect, { discard: true })
    ).pipe(Effect.andThen(nudge), Effect.repeat(Schedule.spaced(slow)))
  })
  // The pool closes after this, and waits for those who use its connections: whoever still does waits for an answer in vain.
  yield* Effect.addFinalizer(() =>
    Effect.sync(() => {
      for (const session of sessions) if (session.users > 0) session.drop()
    })
  )
  yield* Effect.forkScoped(supervise)

  const client = yield* SqlClient.make({
    driver: "pg",
    acquirer: exclusiveConnection,
    borrower: (statement) => Effect.suspend(() => shared(statement)),
    transactionAcquirer: exclusiveConnection,
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

  return {
    client: Object.assign(client, {
      ...clientOf(config, client),
      listen: Effect.fnUntraced(function* (channel: string) {
        const { connection, session } = yield* exclusive
        const notifications = yield* session.awaiting(connection.listen(channel))
        // The driver would say UNLISTEN first, and wait for an answer, which a silent connection never gives.
        yield* Effect.addFinalizer(() => Effect.sync(() => session.drop()))
        return notifications
      })
    }),
    stats: Effect.sync(() => {
      const open = [...sessions]
      return {
        max: config.maxConnections,
        size: open.length,
        idle: open.filter(({ reservations, users }) => users + reservations === 0).length,
        waiting: waiting + open.reduce((sum, { users }) => sum + Math.max(0, users - 1), 0)
      }
    })
  }
})

/**
 * A connection that could not be opened. Effect's pool (4.1.0) gets it as if it could: of a failure it may keep the place while it has
 * everybody wait for a connection to come free, for ever.
 */
class NotOpened {
  readonly error: SqlError.SqlError
  /** When, on the clock of `performance.now`. */
  readonly at = performance.now()

  constructor(error: SqlError.SqlError) {
    this.error = error
  }
}

/**
 * The driver (@effect/sql-pg 4.0.5) writes what shares a connection in a microtask. If all of that was broken off meanwhile, it finds nothing
 * to write and forgets whom the next answer is for: were that the first statement of who has the connection for itself by then, it would wait
 * for ever. Afterwards nobody else writes.
 */
const nextMicrotask = Effect.callback<void>((resume) => queueMicrotask(() => resume(Effect.void)))

const noConnection = ({ host, port, patience }: PoolConfig) =>
  new SqlError.SqlError({
    reason: new SqlError.ConnectionError({
      cause: new Error(`No connection to ${host}:${port} came free within ${Duration.format(patience)}`),
      operation: "connect"
    })
  })

/** What `PgClient` has beyond `SqlClient`, but for `listen`. */
const clientOf = (
  config: PgClient.PgClientConfig,
  sql: SqlClient.SqlClient
): Omit<PgClient.PgClient, keyof SqlClient.SqlClient | "listen"> => ({
  [PgClient.TypeId]: PgClient.TypeId,
  config,
  json: (value) => Statement.fragment([jsonParameter(value, undefined, undefined)]),
  notify: (channel, payload) => Effect.asVoid(sql`SELECT pg_notify(${channel}, ${payload})`)
})

const jsonParameter = Statement.custom<PgClient.PgCustom>("PgJson")

/** PostgreSQL answers COMMIT with ROLLBACK, and no error, where a statement of the transaction has failed. */
const commit = (connection: SqlConnection.Connection) =>
  Effect.flatMap(connection.executeRaw("COMMIT", []), (result) =>
    Predicate.hasProperty(result, "command") && result.command === "ROLLBACK"
      ? Effect.fail(
          new SqlError.SqlError({
            reason: new SqlError.UnknownError({
              cause: new Error("The transaction was rolled back: one of its statements had failed"),
              operation: "commit"
            })
          })
        )
      : Effect.void
  )
