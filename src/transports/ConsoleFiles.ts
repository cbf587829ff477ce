import { readdir, readFile } from "node:fs/promises"
import { extname, join, relative, sep } from "node:path"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import { gzip } from "node:zlib"
import { Effect, Option } from "effect"

/** A file of the console, as it goes over the wire. */
export interface ConsoleFile {
  readonly type: string
  readonly bytes: Uint8Array
  readonly gzipped: Uint8Array
}

const folder = fileURLToPath(new URL("../../dist/console/", import.meta.url))

const types: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml"
}

const compressed = promisify(gzip)

const read = async (path: string): Promise<readonly [string, ConsoleFile]> => {
  const bytes = await readFile(path)
  const file = {
    type: types[extname(path)] ?? "application/octet-stream",
    bytes,
    gzipped: await compressed(bytes)
  }
  return [relative(folder, path).replaceAll(sep, "/"), file]
}

/** The console's files by their paths; none where it is not built (`npm run build`). Two hundred kilobytes once compressed. */
export const consoleFiles: Effect.Effect<Option.Option<ReadonlyMap<string, ConsoleFile>>> = Effect.promise(async () => {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => [])
  const files = entries.filter((entry) => entry.isFile()).map(({ name, parentPath }) => join(parentPath, name))
  return files.length === 0 ? Option.none() : Option.some(new Map(await Promise.all(files.map(read))))
})
