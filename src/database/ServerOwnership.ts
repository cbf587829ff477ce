import { PgConnection } from "@effect/sql-pg"
import { Effect, FileSystem, Option, Path, Queue, type Redacted, type Scope } from "effect"
import { ChildProcess, ChildProcessSpawner } from "effect/process"
import type { SqlError } from "effect/sql"
import type { ClusterFiles } from "./PostgresCluster.ts"

/** What is found at the server of a data folder. */
export type Claim =
  /** The session's advisory lock is ours: who holds it owns the server, until the scope closes. */
  | { readonly _tag: "Ours"; readonly session: PgConnection.PgConnection }
  /** Another service holds the lock. */
  | { readonly _tag: "Taken" }
  /** The server does not accept the folder's password. */
  | { readonly _tag: "Refused"; readonly cause: string }
  /** Nothing answers (yet), or not the server of this folder. */
  | { readonly _tag: "Silent" }

/** The first lines of postmaster.pid (PostgreSQL's src/include/utils/pidfile.h). */
export interface LockFile {
  readonly pid: number
  readonly port: number
}

/** Any number will do, as long as it stays the same: the key of the advisory lock, in the database `postgres`. */
const ownershipKey = 7_233_180_501n

/** A path longer than this does not fit into a socket address. */
const longestSocketPath = 100

/** Reads what the folder's server, running or killed, has written about itself. */
export const readLockFile = Effect.fn("ServerOwnership.readLockFile")(function* (files: ClusterFiles) {
  const fs = yield* FileSystem.FileSystem
  const text = yield* fs
    .readFileString(files.lockFile)
    .pipe(Effect.catchReason("PlatformError", "NotFound", () => Effect.succeed("")))
  const [pid, , , port] = text.split("\n").map(Number)
  return pid === undefined || port === undefined || !(pid > 0) || !(port > 0)
    ? Option.none<LockFile>()
    : Option.some<LockFile>({ pid, port })
})

/**
 * Connects to the server of the folder; undefined when it is another folder's. The way is the server's socket in the data folder, where that
 * is possible: it also reaches a server in another container that shares the folder.
 */
const connect = Effect.fnUntraced(function* (
  files: ClusterFiles,
  port: number,
  password: Redacted.Redacted,
  applicationName: string
) {
  const path = yield* Path.Path
  const socket = path.join(files.cluster, `.s.PGSQL.${port}`)
  const session = yield* PgConnection.make({
    ...(socket.length <= longestSocketPath ? { path: socket } : { host: "127.0.0.1", port }),
    username: "postgres",
    password,
    database: "postgres",
    applicationName,
    connectTimeout: "5 seconds"
  })
  const found = yield* session.query("SELECT current_setting('data_directory') AS folder")
  // A copy of a folder keeps the lock file, and with it the address, of the original's server.
  return found.rows[0]?.folder === files.cluster ? session : undefined
})

/** Connects to the server of the folder and tries to take the lock. */
export const claimServer = Effect.fn("ServerOwnership.claim")(function* (
  files: ClusterFiles,
  port: number,
  password: Redacted.Redacted
): Effect.fn.Return<Claim, never, Path.Path | Scope.Scope> {
  const attempt = Effect.gen(function* () {
    const session = yield* connect(files, port, password, "bytebot-agent owner")
    if (session === undefined) return { _tag: "Silent" } as const
    const locked = yield* session.query("SELECT pg_try_advisory_lock($1) AS locked", [ownershipKey])
    return locked.rows[0]?.locked === true ? ({ _tag: "Ours", session } as const) : ({ _tag: "Taken" } as const)
  })
  return yield* Effect.catch(attempt, (error: SqlError.SqlError) =>
    Effect.succeed(
      error.reason._tag === "AuthenticationError"
        ? ({ _tag: "Refused", cause: String(error.reason.cause) } as const)
        : ({ _tag: "Silent" } as const)
    )
  )
})

/** What is seen at the server of a data folder without touching it. */
export type Sight =
  /** A service owns it. */
  | { readonly _tag: "Owned" }
  /** No service owns it (yet). `starter` is the identity of the process that started it. */
  | { readonly _tag: "Unowned"; readonly starter: string }
  /** Nothing answers, or not to us. */
  | { readonly _tag: "Silent" }

/** Looks at the server of the folder. Other than a claim, this disturbs no service that is about to take the lock. */
export const lookAtServer = Effect.fn("ServerOwnership.look")(
  function* (files: ClusterFiles, port: number, password: Redacted.Redacted) {
    const session = yield* connect(files, port, password, "bytebot-agent visitor")
    if (session === undefined) return { _tag: "Silent" } as const
    const { rows } = yield* session.query(
      `SELECT current_setting('cluster_name') AS starter, EXISTS (
         SELECT FROM pg_locks
         WHERE locktype = 'advisory' AND granted AND objsubid = 1 AND (classid::bigint << 32) | objid::bigint = $1
       ) AS owned`,
      [ownershipKey]
    )
    return rows[0]?.owned === true
      ? ({ _tag: "Owned" } as const)
      : ({ _tag: "Unowned", starter: String(rows[0]?.starter) } as const)
  },
  Effect.scoped,
  Effect.catchTag("SqlError", () => Effect.succeed<Sight>({ _tag: "Silent" }))
)

/** Succeeds with the reason when the session is lost. */
export const awaitLoss = Effect.fn("ServerOwnership.awaitLoss")(
  function* (session: PgConnection.PgConnection) {
    const notifications = yield* session.listen("bytebot_owner")
    return yield* Effect.flip(Effect.forever(Queue.take(notifications)))
  },
  Effect.scoped,
  Effect.catch(Effect.succeed)
)

/**
 * Whether the process with this id is a PostgreSQL server on this data folder. Process ids are used again, and postmaster.pid
 * of a killed server, or of one in another container, may name any process.
 */
export const isServerProcess = Effect.fn("ServerOwnership.isServerProcess")(
  function* (files: ClusterFiles, pid: number) {
    const fs = yield* FileSystem.FileSystem
    const spawner = yield* ChildProcessSpawner.ChildProcessSpawner
    const commandLine = yield* (yield* fs.exists("/proc/self/cmdline"))
      ? Effect.map(fs.readFileString(`/proc/${pid}/cmdline`), (words) => words.replaceAll("\0", " "))
      : spawner.string(ChildProcess.make("ps", ["-o", "command=", "-p", String(pid)]))
    return commandLine.includes(`postgres -D ${files.cluster} `)
  },
  Effect.orElseSucceed(() => false)
)
