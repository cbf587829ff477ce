import { Effect, FileSystem } from "effect"

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
