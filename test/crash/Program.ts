import { spawn } from "node:child_process"
import { mkdir, mkdtemp, rm, symlink } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { Effect, type Scope } from "effect"
import { rolldown } from "rolldown"

const project = fileURLToPath(new URL("../../", import.meta.url))

/** The service in few files: the code is that of src/main.ts. */
export interface Program {
  readonly path: string
  /** What its processes are to find in their environment. */
  readonly variables: Readonly<Record<string, string>>
}

const bundle = async (target: string) => {
  const bundled = await rolldown({ input: join(project, "src/main.ts"), platform: "node", logLevel: "silent" })
  await bundled.write({ dir: target, format: "esm", entryFileNames: "main.mjs", chunkFileNames: "[name]-[hash].mjs" })
  await bundled.close()
}

/** A process that ends at once, because of its settings, and leaves its compiled code to the next ones. */
const compile = ({ path, variables }: Program) =>
  Effect.callback<void>((resume) => {
    const child = spawn(process.execPath, [path], { cwd: "/", env: { ...variables, PORT: "none" }, stdio: "ignore" })
    child.once("close", () => resume(Effect.void))
  })

/** Exists until the scope closes. It needs half the time to start, which counts where hundreds of processes start on few cores. */
export const program: Effect.Effect<Program, never, Scope.Scope> = Effect.gen(function* () {
  const folder = yield* Effect.acquireRelease(
    Effect.promise(() => mkdtemp(join(tmpdir(), "bytebot-program-"))),
    (path) => Effect.promise(() => rm(path, { recursive: true, force: true }))
  )
  // As deep as the modules of src/ that look for the migrations.
  const target = join(folder, "dist", "bundle")
  yield* Effect.promise(async () => {
    await mkdir(target, { recursive: true })
    await symlink(join(project, "migrations"), join(folder, "migrations"))
    await bundle(target)
  })
  const made = { path: join(target, "main.mjs"), variables: { NODE_COMPILE_CACHE: join(folder, "compiled") } }
  yield* compile(made)
  return made
})
