// Starts the service: from its bundle (npm run build) if that is newer than all it was made of, or else from the sources.
import { readdirSync, statSync } from "node:fs"
import { enableCompileCache } from "node:module"
import { fileURLToPath } from "node:url"

const pathOf = (name) => fileURLToPath(new URL(`../${name}`, import.meta.url))

/** When a file was changed; milliseconds. */
const changedAt = (path) => statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0

/** The same of a folder, and of everything in it. */
const newestIn = (folder) =>
  readdirSync(folder, { recursive: true }).reduce(
    (newest, name) => Math.max(newest, changedAt(`${folder}/${name}`)),
    changedAt(folder)
  )

const isCurrent =
  changedAt(pathOf("dist/service/main.js")) > Math.max(newestIn(pathOf("src")), changedAt(pathOf("package-lock.json")))
if (isCurrent) {
  enableCompileCache(pathOf("dist/compiled"))
  await import("../dist/service/main.js")
} else await import("../src/main.ts")
