import { Effect, Option, Stream } from "effect"
import type { ServiceBusy } from "../../domain/LimitErrors.ts"
import type { PageWriter } from "../../messages/MessagePage.ts"
import type { currentShare } from "./InFlight.ts"

/**
 * The bytes of an answer whose rows do not all fit in memory: those that are `read`, then the `unread` ones as the client takes them. If none is
 * read, the first ones are read before the answer begins, so that it may still be refused.
 */
export const piecewise = Effect.fnUntraced(function* <Row, E>(
  share: Effect.Success<typeof currentShare>,
  answer: {
    readonly writer: PageWriter<Row>
    readonly read: ReadonlyArray<Row>
    readonly unread: ReadonlyArray<{ readonly id: string; readonly size: number }>
    readonly rowsOf: (ids: ReadonlyArray<string>) => Effect.Effect<ReadonlyArray<Row>, E>
  }
) {
  const { read, rowsOf, unread, writer } = answer
  /** As many rows from `from` on as fit in a piece, but at least one. */
  const batch = Effect.fnUntraced(function* (from: number, hasBegun: boolean) {
    const room = share.nextPiece()
    let size = 0
    const ids: Array<string> = []
    for (const next of unread.slice(from)) {
      if (ids.length > 0 && size + next.size > room) break
      size += next.size
      ids.push(next.id)
    }
    if (size > room) yield* share.hold(size, hasBegun)
    const text = yield* share.inTurn(Effect.map(rowsOf(ids), writer.add))
    share.answer.set(size)
    return { text, at: from + ids.length }
  })
  // The variable must not keep the text once it is sent.
  let first = read.length > 0 ? { text: writer.add(read), at: 0 } : yield* batch(0, false)
  return Stream.paginate<number, string, ServiceBusy | E>(first.at, (from) =>
    Effect.gen(function* () {
      const { at, text } = first.text === "" ? yield* batch(from, true) : first
      first = { text: "", at }
      return at < unread.length ? [[text], Option.some(at)] : [[text, writer.end()], Option.none()]
    })
  ).pipe(Stream.encodeText)
})
