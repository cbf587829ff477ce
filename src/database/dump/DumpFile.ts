import { Effect, FileSystem, Path, Predicate, type PlatformError } from "effect"
import { DumpFileUnusable } from "./DumpErrors.ts"
import type { Write } from "./WriteDump.ts"

/** A dump in the making. Until it is finished it has another name, so that half a dump is never taken for a whole one. */
export interface DumpFile {
  /** Its name in the end. */
  readonly file: string
  readonly write: Write
  readonly finish: Effect.Effect<void, DumpFileUnusable>
}

/** Creates a file that only its owner can read: passwords' hashes and sessions may be in it. Without `finish` it is removed with the scope. */
export const createDumpFile = Effect.fn("DumpFile.create")(function* (file: string) {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const explain = Effect.mapError((error: PlatformError.PlatformError) => unwritable(file, error))
  const draft = `${file}.part`
  if (yield* explain(fs.exists(file))) {
    return yield* new DumpFileUnusable({ file, reason: "It is there already. Choose another name, or remove it." })
  }
  yield* Effect.addFinalizer(() => Effect.ignore(fs.remove(draft, { force: true })))
  const handle = yield* explain(fs.open(draft, { flag: "w", mode: 0o600 }))
  return {
    file: path.resolve(file),
    write: (bytes) => explain(handle.writeAll(bytes)),
    finish: explain(Effect.andThen(handle.sync, fs.rename(draft, file)))
  } satisfies DumpFile
})

const unwritable = (file: string, error: PlatformError.PlatformError) => {
  const cause = Predicate.hasProperty(error.reason, "cause") ? String(error.reason.cause) : error.message
  const reason = /ENOSPC|EDQUOT/.test(cause) ? "The disk is full." : `It cannot be written: ${cause}.`
  return new DumpFileUnusable({ file, reason })
}
