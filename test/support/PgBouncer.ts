import { spawn } from "node:child_process"
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises"
import { connect } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { PgConnection } from "@effect/sql-pg"
import { Effect, Redacted } from "effect"
import { freePort } from "./ServiceProcess.ts"
import { admin } from "./TestDatabase.ts"
import { until } from "./Waiting.ts"

/** Whether the port accepts a connection. */
const accepts = (port: number) =>
  Effect.callback<true | undefined>((resume) => {
    const socket = connect(port, "127.0.0.1", () => {
      socket.destroy()
      resume(Effect.succeed(true))
    })
    socket.on("error", () => resume(Effect.undefined))
  })

/** Debian's PgBouncer in front of the database at `url`, in one of its modes and with more settings, until the scope closes; gives its own URL for the same database. */
export const pgBouncerBefore = Effect.fnUntraced(function* (
  url: string,
  mode: "session" | "transaction" | "statement",
  more: Readonly<Record<string, string>> = {}
) {
  const folder = yield* Effect.acquireRelease(
    Effect.promise(() => mkdtemp(join(tmpdir(), "bytebot-pgbouncer-"))),
    (path) => Effect.promise(() => rm(path, { recursive: true, force: true }))
  )
  const server = new URL(url)
  const name = server.pathname.slice(1)
  const port = yield* freePort
  const password = server.password === "" ? "" : ` password=${decodeURIComponent(server.password)}`
  const configuration = `[databases]
${name} = host=${server.hostname} port=${server.port} dbname=${name} user=${server.username}${password}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = any
pool_mode = ${mode}
default_pool_size = 20
${Object.entries(more)
  .map(([name, value]) => `${name} = ${value}`)
  .join("\n")}
`
  const file = join(folder, "pgbouncer.ini")
  yield* Effect.promise(async () => {
    await chmod(folder, 0o755)
    await writeFile(file, configuration)
  })
  // It refuses to run as root.
  const asUser = process.getuid?.() === 0 ? ["-u", "nobody"] : []
  yield* Effect.acquireRelease(
    Effect.sync(() => spawn("pgbouncer", [...asUser, "-q", file], { stdio: ["ignore", "ignore", "inherit"] })),
    (child) =>
      Effect.callback<void>((resume) => {
        if (child.exitCode !== null) return resume(Effect.void)
        child.once("exit", () => resume(Effect.void))
        child.kill("SIGKILL")
      })
  )
  yield* until("PgBouncer listens", accepts(port))
  const pooled = new URL(url)
  pooled.host = `127.0.0.1:${port}`
  pooled.password = ""
  return pooled.href
})

/** The same in transaction mode, with two server connections that answer statements in turns. */
export const pgBouncerInTurns = Effect.fnUntraced(function* (url: string) {
  const pooled = yield* pgBouncerBefore(url, "transaction", { server_round_robin: "1", min_pool_size: "2" })
  // PgBouncer opens the least number of server connections once a client is there.
  const client = yield* PgConnection.make({ url: Redacted.make(pooled) })
  yield* client.query("SELECT 1", [], false)
  const server = yield* admin
  const ofService = server`SELECT pid FROM pg_stat_activity WHERE datname = ${new URL(url).pathname.slice(1)}`
  yield* until(
    "PgBouncer has two server connections",
    Effect.map(ofService, ({ length }) => (length === 2 ? true : undefined))
  )
  return pooled
})
