import { readFileSync } from "node:fs"

/** What Linux counts CPU time in: USER_HZ, 100 per second on all its usual builds. */
const msPerTick = 10

/** CPU time of a process in ms, all of its threads, in user and kernel mode (proc_pid_stat(5)). */
export const cpuMs = (pid: number): number => {
  const text = readFileSync(`/proc/${pid}/stat`, "utf8")
  // The second field is the name, which may hold blanks; utime and stime are the 14th and 15th.
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ")
  return (Number(fields[11]) + Number(fields[12])) * msPerTick
}

/** The most memory that the process had resident at a time, in bytes. */
export const peakBytes = (pid: number): number => {
  const [, kilobytes = "0"] = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? []
  return Number(kilobytes) * 1024
}
