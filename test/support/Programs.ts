import { rm } from "node:fs/promises"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { Effect, type Scope } from "effect"
import { writeBundle } from "../../scripts/writeBundle.ts"

/** The programs of src/ that tests run as processes. */
const programs = ["main", "cli/main"]

const project = fileURLToPath(new URL("../../", import.meta.url))

/** Names the folder of the bundles to all processes of a run. */
const variable = "TEST_PROGRAMS"

const nameOf = (program: string): string => program.replace("/", "-")

/**
 * Bundles the programs, for as long as the scope is open: each process needs a third of the work to start, which counts where a thousand
 * start on few cores.
 */
export const bundled: Effect.Effect<void, never, Scope.Scope> = Effect.gen(function* () {
  const folder = yield* Effect.acquireRelease(Effect.succeed(join(project, "dist", `test-${process.pid}`)), (path) =>
    Effect.promise(() => rm(path, { recursive: true, force: true }))
  )
  const sources = programs.map((program) => [nameOf(program), join(project, "src", `${program}.ts`)])
  yield* Effect.promise(async () => {
    // Once for a run: its other processes need no bundler.
    const { rolldown } = await import("rolldown")
    await writeBundle(rolldown, Object.fromEntries(sources), folder)
  })
  process.env[variable] = folder
})

/** The file to run for a program of src/, named without its `.ts`: its source, outside of a run of tests. */
export const fileOf = (program: string): string => {
  const folder = process.env[variable]
  return folder === undefined ? join(project, "src", `${program}.ts`) : join(folder, `${nameOf(program)}.js`)
}

/** What a process of a program finds in its environment besides its own variables. */
export const environment = (): Readonly<Record<string, string>> => ({
  PATH: process.env.PATH ?? "",
  // Code that Node has compiled, for all processes of the run.
  ...(process.env[variable] === undefined ? {} : { NODE_COMPILE_CACHE: join(process.env[variable], "compiled") })
})
