import { Socket } from "node:net"
import { PgConnection } from "@effect/sql-pg"
import { Duration, Effect, Exit, Stream } from "effect"
import { type SqlConnection, SqlError } from "effect/sql"
import { codeOf } from "./SqlFailure.ts"

/** Where and how to connect. */
export type SessionConfig = PgConnection.Config & {
  readonly host: string
  readonly port: number
  /** How long the server may be silent while a statement waits for its answer; infinity: for ever. */
  readonly patience: Duration.Duration
}

/** A connection to PostgreSQL in the pool, and what is known of its use. */
export class PooledSession {
  /** Reasons to give it to nobody else. */
  reservations = 0
  readonly connection: PgConnection.PgConnection
  /** The same for Effect's SQL client, for statements that share the connection. */
  readonly shared: SqlConnection.Connection
  private readonly socket: Socket
  private sharers = 0
  private isTaken = false
  private readonly left = new Set<() => void>()
  private unanswered = 0
  private heardAt = 0
  private bytesRead = 0

  constructor(connection: PgConnection.PgConnection, socket: Socket, invalidate: (session: PooledSession) => void) {
    this.connection = connection
    this.shared = sqlConnection(this, connection)
    this.socket = socket
    this.retire = () => {
      this.reservations += 1
      invalidate(this)
    }
  }

  get isOpen(): boolean {
    return !this.socket.destroyed
  }

  /** Who uses it now: several whose statements are answered one after the other, or one with the connection for itself. */
  get users(): number {
    return this.sharers + (this.isTaken ? 1 : 0)
  }

  /** Runs a statement beside those of others; where somebody has the connection for itself, `otherwise`. */
  share<A, E, R, R2>(
    statement: (connection: SqlConnection.Connection) => Effect.Effect<A, E, R>,
    otherwise: () => Effect.Effect<A, E, R2>
  ): Effect.Effect<A, E, R | R2> {
    return Effect.uninterruptibleMask((restore): Effect.Effect<A, E, R | R2> => {
      if (this.isTaken) return restore(otherwise())
      this.sharers += 1
      return Effect.ensuring(
        restore(statement(this.shared)),
        Effect.sync(() => {
          this.sharers -= 1
          if (this.sharers > 0) return
          for (const leave of this.left) leave()
          this.left.clear()
        })
      )
    })
  }

  /** Has the connection for itself as soon as those who share it have their answers, until `giveBack`; false: another one has it. */
  take(): boolean {
    if (this.isTaken) return false
    this.isTaken = true
    return true
  }

  giveBack(): void {
    this.isTaken = false
  }

  /** Waits for those who shared the connection before it was taken: their statements would wait behind all of the taker's. */
  readonly unshared: Effect.Effect<void> = Effect.callback((resume) => {
    if (this.sharers === 0) return resume(Effect.void)
    const leave = () => resume(Effect.void)
    this.left.add(leave)
    return Effect.sync(() => this.left.delete(leave))
  })

  /** Milliseconds since the server's last sign of life, if it owes an answer; otherwise 0. */
  get silence(): number {
    if (this.unanswered === 0) return 0
    if (this.socket.bytesRead !== this.bytesRead) this.heard()
    return performance.now() - this.heardAt
  }

  /** Counts the statement as waiting for its answer while the effect runs. */
  awaiting<A, E, R>(statement: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> {
    return Effect.suspend(() => {
      if (this.unanswered === 0) this.heard()
      this.unanswered += 1
      return Effect.onExit(statement, (exit) =>
        Effect.sync(() => {
          this.unanswered -= 1
          this.heard()
          // A request to cancel it may be still on its way, and would hit the statement of whoever had the connection next.
          if (this.isTaken && Exit.hasInterrupts(exit)) this.retire()
        })
      )
    })
  }

  /** Has the pool replace the connection once nobody uses it any more. */
  readonly retire: () => void

  /** Ends the connection without a word to the server; what is under way on it fails. */
  drop(): void {
    this.socket.destroy()
  }

  private heard(): void {
    this.heardAt = performance.now()
    this.bytesRead = this.socket.bytesRead
  }
}

/** Opens a connection for as long as the scope is open; `invalidate` is called when it is not to be used any more. */
export const openSession = Effect.fnUntraced(
  function* (config: SessionConfig, invalidate: (session: PooledSession) => void) {
    const socket = openSocket(config)
    let isGivenOut = false
    const connection = yield* PgConnection.make({
      ...config,
      // The driver takes further ones for requests to cancel a statement.
      stream: () => {
        if (isGivenOut) return openSocket(config)
        isGivenOut = true
        return socket
      }
    }).pipe(
      Effect.tap((connection) =>
        // The pool opens one connection at a time: one that never gets ready would keep everybody waiting.
        Effect.timeoutOrElse(setLimits(connection, config.patience), {
          duration: config.connectTimeout ?? "5 seconds",
          orElse: () => Effect.fail(connectTimedOut(config))
        })
      ),
      Effect.tapError(() => Effect.sync(() => socket.destroy()))
    )
    const session = new PooledSession(connection, socket, invalidate)
    // The driver's listener comes first, and gives the socket up when the server says farewell.
    socket.on("data", () => {
      if (socket.destroyed) session.retire()
    })
    socket.once("close", session.retire)
    return session
  },
  (effect) => Effect.mapError(effect, notConnected)
)

const openSocket = ({ host, port }: SessionConfig): Socket =>
  host.startsWith("/")
    ? new GatheringSocket().connect(`${host}/.s.PGSQL.${port}`)
    : new GatheringSocket().setNoDelay().setKeepAlive(true, 15_000).connect(port, host)

/** As much as is read from a connection at a time, in bytes: what Node allocates for each piece that it reads. */
const readSize = 64 * 1024

/**
 * What is written while the event loop goes once through what came in leaves together: a system call costs as much as a small statement.
 * Who finds the connection idle does not wait for others.
 */
class GatheringSocket extends Socket {
  private isGathering = false
  private isAwaited = false

  constructor() {
    super({
      onread: { buffer: Buffer.allocUnsafe(readSize), callback: (length, buffer) => this.received(length, buffer) }
    })
  }

  /** The driver copies what it gets before it returns, so that one buffer does for all answers. */
  private received(length: number, buffer: Uint8Array): boolean {
    this.isAwaited = false
    this.emit("data", buffer.subarray(0, length))
    return true
  }

  override write(data: string | Uint8Array, done?: (error?: Error | null) => void): boolean
  override write(data: string | Uint8Array, encoding?: BufferEncoding, done?: (error?: Error | null) => void): boolean
  override write(
    data: string | Uint8Array,
    encoding?: BufferEncoding | ((error?: Error | null) => void),
    done?: (error?: Error | null) => void
  ): boolean {
    if (this.isAwaited && !this.isGathering) this.gather()
    this.isAwaited = true
    return typeof encoding === "function" ? super.write(data, encoding) : super.write(data, encoding, done)
  }

  private gather(): void {
    this.isGathering = true
    this.cork()
    setImmediate(() => {
      this.isGathering = false
      this.uncork()
    })
  }
}

/**
 * Has the server give up what we have given up: a wait for a lock, a transaction whose client is gone, a connection from which nothing
 * is heard any more. Not by parameters of the start, which PgBouncer would refuse.
 */
const setLimits = Effect.fnUntraced(function* (connection: PgConnection.PgConnection, patience: Duration.Duration) {
  const milliseconds = Duration.toMillis(patience)
  if (!Number.isFinite(milliseconds)) return
  yield* connection.query(
    `SELECT set_config('lock_timeout', $1, false), set_config('idle_in_transaction_session_timeout', $2, false),
       set_config('tcp_keepalives_idle', '15', false), set_config('tcp_keepalives_interval', '5', false), set_config('tcp_keepalives_count', '3', false)`,
    [String(Math.ceil((milliseconds * 2) / 3)), String(milliseconds * 2)]
  )
})

const connectTimedOut = ({ host, port }: SessionConfig): SqlError.SqlError =>
  new SqlError.SqlError({
    reason: new SqlError.ConnectionError({
      cause: new Error(`${host}:${port} accepted the connection, but does not answer`),
      operation: "connect"
    })
  })

/** A failure before there was a connection: nothing of what the caller wants was sent. */
const notConnected = (error: SqlError.SqlError): SqlError.SqlError =>
  error.reason.operation === "connect"
    ? error
    : new SqlError.SqlError({
        reason: new SqlError.ConnectionError({
          cause: error.reason.cause,
          message: error.message,
          operation: "connect"
        })
      })

/**
 * SQLSTATEs after which a connection is not used again. 25006: the server has become a standby; a new connection may reach the one that took
 * over. 25P02: the connection is in a failed transaction, in which it refuses every further statement.
 */
const retiring = new Set(["25006", "25P02"])

/** Statements with which Effect's SQL client cleans up; it takes their failure for a bug. */
const cleanup = /^(?:ROLLBACK|RELEASE SAVEPOINT)\b/

/** The session as Effect's SQL client uses it; `connection` is the session's, or the view of it that its only user has. */
export const sqlConnection = (
  session: PooledSession,
  connection: PgConnection.PgConnection
): SqlConnection.Connection => {
  type TransformRows = Parameters<SqlConnection.Connection["execute"]>[2]
  const query = (sql: string, parameters: ReadonlyArray<unknown>, prepare?: boolean) =>
    Effect.tapError(session.awaiting(connection.query(sql, parameters, prepare)), (error) =>
      Effect.sync(() => {
        if (retiring.has(codeOf(error) ?? "")) session.retire()
      })
    )
  const rows = (
    sql: string,
    parameters: ReadonlyArray<unknown>,
    transformRows: TransformRows,
    prepare: boolean
  ): Effect.Effect<ReadonlyArray<PgConnection.Row>, SqlError.SqlError> =>
    Effect.map(query(sql, parameters, prepare), (result) => transformRows?.(result.rows) ?? result.rows)
  return {
    execute: (sql, parameters, transformRows) => {
      const result = rows(sql, parameters, transformRows, true)
      if (!cleanup.test(sql)) return result
      // Without the connection the server rolls back by itself.
      return Effect.catch(result, () =>
        Effect.sync(() => {
          session.drop()
          return []
        })
      )
    },
    executeUnprepared: (sql, parameters, transformRows) => rows(sql, parameters, transformRows, false),
    executeRaw: (sql, parameters) => query(sql, parameters),
    executeValues: (sql, parameters) => session.awaiting(connection.queryValues(sql, parameters)),
    executeValuesUnprepared: (sql, parameters) => session.awaiting(connection.queryValues(sql, parameters, false)),
    executeStream: (sql, parameters, transformRows) => {
      const stream = connection.stream(sql, parameters)
      return transformRows === undefined ? stream : Stream.map(stream, (row) => transformRows([row])[0])
    }
  }
}
