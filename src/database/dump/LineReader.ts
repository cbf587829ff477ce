import { Effect, FileSystem, Option, type PlatformError } from "effect"
import { DumpDamaged, DumpFileUnusable } from "./DumpErrors.ts"

/** A file's lines, one after the other. */
export interface LineReader {
  /** The next line, without its end; fails at the end of the file: the last line of a dump is known as such before that. */
  readonly next: Effect.Effect<string, DumpDamaged | DumpFileUnusable>
  /** The error for something wrong in the line that came last. */
  readonly damaged: (problem: string) => DumpDamaged
}

const chunkBytes = 1024 * 1024
const newline = 10

/** Opens a file whose lines may be of any length; no more than a line is in memory. */
export const openLines = Effect.fn("LineReader.open")(
  function* (file: string) {
    const fs = yield* FileSystem.FileSystem
    const handle = yield* fs.open(file)
    const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })
    let chunk: Uint8Array = new Uint8Array()
    let at = 0
    let number = 0
    const damaged = (problem: string) => new DumpDamaged({ file, line: number, problem })
    const decode = (line: Uint8Array) =>
      Effect.try({ try: () => decoder.decode(line), catch: () => damaged("a line is not UTF-8 text") })
    const next = Effect.gen(function* () {
      const before: Array<Uint8Array> = []
      number += 1
      for (;;) {
        const end = chunk.indexOf(newline, at)
        if (end >= 0) {
          const rest = chunk.subarray(at, end)
          at = end + 1
          return yield* decode(before.length === 0 ? rest : Buffer.concat([...before, rest]))
        }
        before.push(chunk.subarray(at))
        const more = yield* handle.readAlloc(chunkBytes)
        if (Option.isNone(more)) return yield* damaged("the file ends too early; it is not the whole dump")
        chunk = more.value
        at = 0
      }
    }).pipe(Effect.catchTag("PlatformError", (error) => Effect.fail(unreadable(file, error))))
    return { next, damaged } satisfies LineReader
  },
  (open, file) => Effect.catchTag(open, "PlatformError", (error) => Effect.fail(unreadable(file, error)))
)

const unreadable = (file: string, { message, reason }: PlatformError.PlatformError) =>
  new DumpFileUnusable({
    file,
    reason: reason._tag === "NotFound" ? "There is no such file." : `It cannot be read: ${message}.`
  })
