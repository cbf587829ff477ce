import { readFile, writeFile } from "node:fs/promises"
import { Effect } from "effect"

/** Most resident memory that the process has had since its start or `resetPeak`, in bytes (proc_pid_status(5): VmHWM). */
export const peakOf = (pid: number) =>
  Effect.promise(async () => {
    const status = await readFile(`/proc/${pid}/status`, "utf8")
    return Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1]) * 1024
  })

/** The peak begins anew at what is resident now (proc_pid_clear_refs(5)). */
export const resetPeak = (pid: number) => Effect.promise(() => writeFile(`/proc/${pid}/clear_refs`, "5"))
