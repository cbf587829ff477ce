import { spawn } from "node:child_process"
import { Effect } from "effect"
import { environment, fileOf } from "./Programs.ts"

export interface Ended {
  readonly code: number | string
  readonly stdout: string
  readonly stderr: string
}

/**
 * Runs a program of src/, named without its `.ts`, as a process, to its end. Of the environment it has the given variables, and PATH.
 * `through` is a command that runs the command behind it.
 */
export const runProgram = (
  program: string,
  args: ReadonlyArray<string>,
  variables: Readonly<Record<string, string>>,
  through: ReadonlyArray<string> = []
): Effect.Effect<Ended> =>
  Effect.callback((resume) => {
    const [command = process.execPath, ...rest] = [...through, process.execPath, fileOf(program), ...args]
    const child = spawn(command, rest, {
      cwd: "/",
      env: { ...environment(), ...variables },
      stdio: ["ignore", "pipe", "pipe"]
    })
    let stdout = ""
    let stderr = ""
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      stdout += text
    })
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      stderr += text
    })
    child.once("close", (code, signal) => resume(Effect.succeed({ code: code ?? signal ?? "", stdout, stderr })))
    return Effect.sync(() => child.kill("SIGKILL"))
  })
