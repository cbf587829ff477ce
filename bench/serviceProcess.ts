import { spawn } from "node:child_process"
import { readFileSync } from "node:fs"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Effect, Schedule } from "effect"
import { freePort } from "../test/support/ServiceProcess.ts"

/** A new folder, until the scope closes. */
export const folder = Effect.acquireRelease(
  Effect.promise(() => mkdtemp(join(tmpdir(), "bytebot-bench-"))),
  (path) => Effect.promise(() => rm(path, { recursive: true, force: true }))
)

/** Memory that a process has resident (`VmRSS`), or has had at the most (`VmHWM`), in bytes (Linux, proc(5)). */
export const memoryBytes = (pid: number, what: "VmRSS" | "VmHWM" = "VmRSS"): number => {
  const status = readFileSync(`/proc/${pid}/status`, "utf8")
  const [, kilobytes = "0"] = new RegExp(`^${what}:\\s+(\\d+) kB$`, "m").exec(status) ?? []
  return Number(kilobytes) * 1024
}

/** Time that a process has had a processor, in ms (Linux, proc(5): ticks of 10 ms): steadier than the clock on a machine with other work. */
export const cpuMilliseconds = (pid: number): number => {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ").at(-1)?.split(" ") ?? []
  return (Number(fields[11]) + Number(fields[12])) * 10
}

/** The service as `npm start` runs it, as a process of its own, with a private database, until the scope closes. */
export const serviceProcess = Effect.fn("serviceProcess")(function* (variables: Readonly<Record<string, string>>) {
  const port = yield* freePort
  const dataDir = yield* folder
  const child = yield* Effect.acquireRelease(
    Effect.sync(() =>
      spawn(process.execPath, [...(variables.NODE_FLAGS?.split(" ") ?? []), "bin/bytebot-agent.js", "serve"], {
        stdio: ["ignore", "ignore", "inherit"],
        env: {
          ...process.env,
          HOST: "127.0.0.1",
          PORT: String(port),
          LOG_LEVEL: "warn",
          BYTEBOT_DATA_DIR: dataDir,
          ...variables
        }
      })
    ),
    (process) =>
      Effect.callback<void>((resume) => {
        if (process.exitCode !== null) return resume(Effect.void)
        process.once("exit", () => resume(Effect.void))
        process.kill("SIGTERM")
      })
  )
  const url = `http://127.0.0.1:${port}`
  yield* Effect.promise(() =>
    fetch(`${url}/tasks?limit=1`).then(
      ({ status }) => status,
      () => 0
    )
  ).pipe(
    Effect.filterOrFail(
      (status) => status === 200,
      () => new Error("the service does not answer")
    ),
    Effect.retry(Schedule.upTo(Schedule.spaced("50 millis"), { duration: "60 seconds" }))
  )
  const pid = child.pid ?? 0
  return { url, dataDir, pid, resident: () => memoryBytes(pid), cpu: () => cpuMilliseconds(pid) }
})
