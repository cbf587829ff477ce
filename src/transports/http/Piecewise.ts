import { Effect, Option, Stream } from "effect"
import type { ServiceBusy } from "../../domain/LimitErrors.ts"
import type { currentShare } from "./InFlight.ts"

/** A row of an answer that is not read yet, and the bytes that it takes up. */
interface Unread {
  readonly id: string
  readonly size: number
}

type Chunks = ReadonlyArray<Uint8Array>

/**
 * The chunks of an answer whose rows do not all fit: `begun`, then those of the `rest`, which are read as the client takes them, then the
 * `end`. Where nothing is begun the first rows are read before the answer begins, so that it may still be refused.
 */
export const piecewise = Effect.fnUntraced(function* <E>(
  share: Effect.Success<typeof currentShare>,
  answer: {
    readonly begun: Chunks
    readonly rest: ReadonlyArray<Unread>
    readonly read: (ids: ReadonlyArray<string>) => Effect.Effect<Chunks, E>
    readonly end: () => Chunks
  }
) {
  /** The chunks of the rows from this one on that fit in a piece, but of one at least. */
  const batch = Effect.fnUntraced(function* (from: number, hasBegun: boolean) {
    const room = share.nextPiece()
    let size = 0
    const ids: Array<string> = []
    for (const next of answer.rest.slice(from)) {
      if (ids.length > 0 && size + next.size > room) break
      size += next.size
      ids.push(next.id)
    }
    if (size > room) yield* share.hold(size, hasBegun)
    const chunks = yield* share.inTurn(answer.read(ids))
    share.answer.set(size)
    return { chunks, at: from + ids.length }
  })
  // Nothing must keep it once it is sent.
  let first = answer.begun.length > 0 ? { chunks: answer.begun, at: 0 } : yield* batch(0, false)
  return Stream.paginate<number, Uint8Array, ServiceBusy | E>(first.at, (from) =>
    Effect.gen(function* () {
      const { at, chunks } = first.chunks.length > 0 ? first : yield* batch(from, true)
      first = { chunks: [], at }
      return at < answer.rest.length ? [chunks, Option.some(at)] : [[...chunks, ...answer.end()], Option.none()]
    })
  )
})
