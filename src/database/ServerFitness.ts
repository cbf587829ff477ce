import { PgConnection } from "@effect/sql-pg"
import { type Duration, Effect, Option, Schema } from "effect"
import { DatabaseEncodingUnfit, DatabasePooledByTransaction } from "./DatabaseErrors.ts"
import type { PostgresUrl } from "./PostgresUrl.ts"

const Session = Schema.Struct({ pid: Schema.Int, encoding: Schema.String })
const decodeSession = Schema.decodeUnknownEffect(Session)

/** Which server process answers, asked without a named statement, which a pooler may not know. */
const sessionOf = (connection: PgConnection.PgConnection) =>
  connection
    .query("SELECT pg_backend_pid() AS pid, current_setting('server_encoding') AS encoding", [], false)
    .pipe(Effect.flatMap(({ rows }) => Effect.orDie(decodeSession(rows[0]))))

/**
 * Whether a pooler between the service and PostgreSQL shares server connections among clients: two connections that are open at the same
 * time then reach the same server process, or one connection reaches several. A pooler in session mode does neither
 * (https://www.pgbouncer.org/features.html, "Session pooling" and "Transaction pooling").
 */
export const isShared = (first: ReadonlyArray<number>, second: ReadonlyArray<number>): boolean =>
  new Set(first).size > 1 || new Set(second).size > 1 || first.some((pid) => second.includes(pid))

/** How often the connections are asked: other clients of the pooler may take a server connection in between. */
const rounds = 5

/**
 * Fails where the service could not work right, before anything is changed: text that is not stored as UTF-8 loses characters, and behind a pooler
 * per transaction locks, LISTEN and session settings do not hold.
 */
export const checkFitness = Effect.fn("ServerFitness.check")(function* (
  server: PostgresUrl,
  options: PgConnection.Config,
  timeout: Duration.Duration
) {
  const first = yield* PgConnection.make(options)
  const { encoding, pid } = yield* sessionOf(first)
  if (encoding !== "UTF8") {
    return yield* new DatabaseEncodingUnfit({ server: server.description, database: server.database, encoding })
  }
  const second = yield* PgConnection.make(options)
  const pids: { readonly first: Array<number>; readonly second: Array<number> } = { first: [pid], second: [] }
  for (let round = 0; round < rounds; round++) {
    const other = yield* Effect.timeoutOption(sessionOf(second), timeout)
    // A pooler in session mode whose only server connection the first one holds has the second one wait.
    if (Option.isNone(other)) return
    pids.second.push(other.value.pid)
    // Twice: where a pooler takes its server connections in turns, the same one would answer every other question.
    pids.first.push((yield* sessionOf(first)).pid, (yield* sessionOf(first)).pid)
  }
  if (isShared(pids.first, pids.second)) {
    return yield* new DatabasePooledByTransaction({ server: server.description })
  }
}, Effect.scoped)
