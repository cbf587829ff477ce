import type { Socket } from "node:net"
import type { PgClient } from "@effect/sql-pg"
import { type Duration, Effect, Exit, Stream } from "effect"
import type { SqlConnection, SqlError } from "effect/sql"
import { codeOf, connectionError } from "./SqlFailure.ts"

const begin = /^\s*(?:BEGIN|START\s+TRANSACTION)\b/i
const end = /^\s*(?:COMMIT|END|ROLLBACK(?!\s+TO\b))\b/i

/** SQLSTATEs of a session that no further statement works on: it is read-only, or in a failed transaction. */
const unusable = /^25(?:006|P02)$/

/** Statements with which Effect's SQL client cleans up; it treats their failure as a defect. */
const cleanup = /^(?:ROLLBACK|RELEASE SAVEPOINT)\b/

/** A session of the pool: the driver's client of it, whether the server owes it an answer, and whether it may be leased again. */
export class PooledSession {
  readonly client: PgClient.PgClient
  private readonly socket: Socket
  private readonly timeout: Duration.Duration
  private isRetired = false
  private isInTransaction = false
  private isStreaming = false
  private unanswered = 0
  private heardAt = 0
  private bytesRead = 0

  constructor(client: PgClient.PgClient, socket: Socket, timeout: Duration.Duration) {
    this.client = client
    this.socket = socket
    this.timeout = timeout
  }

  /** Whether the pool has to replace it. */
  get isSpent(): boolean {
    return this.isRetired || this.isInTransaction || this.isStreaming || this.socket.destroyed
  }

  /** Milliseconds since the server's last byte while it owes an answer, otherwise 0. */
  get silence(): number {
    if (this.unanswered === 0) return 0
    if (this.socket.bytesRead !== this.bytesRead) this.heard()
    return performance.now() - this.heardAt
  }

  /** Closes the socket without waiting for an answer to a farewell. Statements under way fail. */
  drop(): void {
    this.socket.destroy()
  }

  /** Measures the server's silence while the statement waits for its answer. */
  answered<A, R>(statement: Effect.Effect<A, SqlError.SqlError, R>, sql = ""): Effect.Effect<A, SqlError.SqlError, R> {
    return Effect.suspend(() => {
      if (this.unanswered++ === 0) this.heard()
      if (begin.test(sql)) this.isInTransaction = true
      return Effect.onExit(statement, (exit) => {
        this.unanswered -= 1
        this.heard()
        if (Exit.isSuccess(exit) && end.test(sql)) this.isInTransaction = false
        // The request to cancel the statement may arrive late, and would hit the next one.
        if (Exit.hasInterrupts(exit)) this.isRetired = true
        return Effect.void
      })
    }).pipe(
      Effect.tapError((error) => {
        if (unusable.test(codeOf(error) ?? "")) this.isRetired = true
        return Effect.void
      })
    )
  }

  /** The driver's connection to the same session, with its statements watched. */
  watch(to: SqlConnection.Connection): SqlConnection.Connection {
    return {
      execute: (sql, parameters, transform) => {
        const rows = this.answered(to.execute(sql, parameters, transform), sql)
        return cleanup.test(sql) ? Effect.catch(rows, () => this.rolledBack) : rows
      },
      executeUnprepared: (sql, parameters, transform) =>
        this.answered(to.executeUnprepared(sql, parameters, transform), sql),
      executeRaw: (sql, parameters) => this.answered(to.executeRaw(sql, parameters), sql),
      executeValues: (sql, parameters) => this.answered(to.executeValues(sql, parameters), sql),
      executeValuesUnprepared: (sql, parameters) => this.answered(to.executeValuesUnprepared(sql, parameters), sql),
      executeStream: (sql, parameters, transform) =>
        Stream.suspend(() => {
          this.isStreaming = true
          return to.executeStream(sql, parameters, transform)
        }).pipe(
          Stream.timeoutOrElse({ duration: this.timeout, orElse: () => Stream.fail(silentStream) }),
          Stream.onEnd(Effect.sync(() => (this.isStreaming = false)))
        )
    }
  }

  /** Without the session the server rolls back by itself. */
  private readonly rolledBack = Effect.sync(() => {
    this.drop()
    return []
  })

  private heard(): void {
    this.heardAt = performance.now()
    this.bytesRead = this.socket.bytesRead
  }
}

const silentStream = connectionError("stream", new Error("The database fell silent between rows"))
