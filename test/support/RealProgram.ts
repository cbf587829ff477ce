import { spawnSync } from "node:child_process"

/** Fails, with the line that installs it, where a program of the system is missing. `version` are the arguments that print its version. */
export const requireProgram = (program: string, version: ReadonlyArray<string>, debianPackage: string): void => {
  const { error, status } = spawnSync(program, [...version], { stdio: "ignore" })
  if (error !== undefined || status !== 0) {
    throw new Error(`${program} is missing. On Debian: apt-get install --no-install-recommends ${debianPackage}`)
  }
}
