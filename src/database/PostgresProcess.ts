import { spawn } from "node:child_process"
import { open } from "node:fs/promises"
import { Deferred, Effect, FileSystem, Option, type PlatformError } from "effect"
import type { PostgresUser } from "./PostgresUser.ts"

/** A running initdb or postgres. */
export interface PostgresProcess {
  /** Succeeds when it has ended, with its exit code or the signal's name. */
  readonly exit: Effect.Effect<number | string>
  readonly signal: (signal: NodeJS.Signals) => Effect.Effect<void>
  /** The end of what it has written to the log so far. */
  readonly output: Effect.Effect<string, PlatformError.PlatformError>
}

const outputBytes = 8_000

/**
 * Starts a program of PostgreSQL in a session of its own, so that a terminal's Ctrl-C, which goes to every process of the
 * foreground group, does not end the server before the service has finished with it. Its output is appended to `logFile`,
 * which, other than a pipe, outlives this process. The caller ends it.
 */
export const startProcess = Effect.fn("PostgresProcess.start")(function* (options: {
  readonly command: string
  readonly arguments: ReadonlyArray<string>
  readonly environment: Readonly<Record<string, string>>
  readonly user: PostgresUser
  readonly logFile: string
}) {
  const fs = yield* FileSystem.FileSystem
  const [command = options.command, ...rest] = [...options.user.wrapper, options.command, ...options.arguments]
  const ids = options.user.wrapper.length > 0 ? Option.none() : options.user.ids
  const exit = yield* Deferred.make<number | string>()
  const logStart = (yield* fs.exists(options.logFile)) ? (yield* fs.stat(options.logFile)).size : 0n
  const child = yield* Effect.acquireUseRelease(
    Effect.promise(() => open(options.logFile, "a", 0o600)),
    (log) =>
      Effect.sync(() => {
        const started = spawn(command, rest, {
          cwd: "/",
          detached: true,
          // Nothing else of the environment: keys of this process are none of the server's business, PG* variables would change it.
          env: { PATH: process.env.PATH, LC_ALL: "C", ...options.environment },
          stdio: ["ignore", log.fd, log.fd],
          ...Option.getOrUndefined(ids)
        })
        started.once("exit", (code, signal) => Deferred.doneUnsafe(exit, Effect.succeed(code ?? signal ?? "unknown")))
        started.once("error", (error) => Deferred.doneUnsafe(exit, Effect.succeed(error.message)))
        return started
      }),
    (log) => Effect.promise(() => log.close())
  )
  return {
    exit: Deferred.await(exit),
    signal: (signal) => Effect.sync(() => child.kill(signal)),
    output: Effect.map(fs.readFile(options.logFile), (bytes) =>
      Buffer.from(bytes.subarray(Math.max(Number(logStart), bytes.length - outputBytes)))
        .toString("utf8")
        .trim()
    )
  } satisfies PostgresProcess
})

/** Field 22 of /proc/PID/stat (proc(5)), counted from the one behind the command's name, which may contain anything. */
const startTimeField = 19

/**
 * Names the process with this id; undefined: there is none. Ids are used again, so the time of its start is part of the name where the system tells
 * it (Linux).
 */
export const identityOf = Effect.fn("ProcessIdentity.of")(
  function* (pid: number) {
    const fs = yield* FileSystem.FileSystem
    const isLinux = yield* fs.exists("/proc/self/stat")
    if (!isLinux) return isThere(pid) ? `${pid}@` : undefined
    const stat = yield* fs.readFileString(`/proc/${pid}/stat`)
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ")
    return `${pid}@${fields[startTimeField]}`
  },
  Effect.orElseSucceed(() => undefined)
)

/** Whether the process so named still runs. */
export const isAlive = Effect.fn("ProcessIdentity.isAlive")(function* (identity: string) {
  const pid = Number.parseInt(identity, 10)
  return pid > 0 && (yield* identityOf(pid)) === identity
})

const isThere = (pid: number): boolean => {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}
