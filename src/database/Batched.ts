import { Array as Arr, Effect, Exit, Request, RequestResolver, Semaphore } from "effect"
import type { SqlError } from "effect/sql"
import { isOutage } from "./SqlFailure.ts"

/** Most inputs of one statement. */
const most = 64

/**
 * Stores the inputs of concurrent callers with one statement: those that come while a statement is under way share the next one. PostgreSQL
 * commits hundreds of rows at the cost of one, and transactions that notify one at a time.
 *
 * `store` answers for each input in the same order, and stores all of them or none. If it fails and the database is there, each input is
 * stored alone, so that a wrong input fails only its own caller. Large inputs are stored alone at once.
 */
export const batched = <I, A>(
  store: (inputs: Arr.NonEmptyArray<I>) => Effect.Effect<Arr.NonEmptyArray<A>, SqlError.SqlError>,
  isLarge: (input: I) => boolean
): ((input: I) => Effect.Effect<A, SqlError.SqlError>) => {
  class Asked extends Request.Class<{ readonly input: I }, A, SqlError.SqlError> {}
  type Entries = Arr.NonEmptyArray<Request.Entry<Asked>>
  const underWay = Semaphore.makeUnsafe(1)

  const answer = (entries: Entries): Effect.Effect<void, SqlError.SqlError> =>
    Effect.gen(function* () {
      const [first, ...rest] = entries
      const answers = yield* store([first.request.input, ...rest.map(({ request }) => request.input)])
      for (const [index, entry] of entries.entries()) {
        const answer = answers[index]
        if (answer === undefined) return yield* Effect.die(new Error("A statement for several has answered fewer"))
        entry.completeUnsafe(Exit.succeed(answer))
      }
    })

  const answerEach = (entries: Entries) =>
    Effect.forEach(entries, (entry) =>
      Effect.catchCause(answer([entry]), (cause) => Effect.sync(() => entry.completeUnsafe(Exit.failCause(cause))))
    )

  const resolver = RequestResolver.makeWith<Asked>({
    batchKey: () => store,
    delay: underWay.withPermit(Effect.void),
    collectWhile: (entries) => entries.size < most,
    runAll: (entries) =>
      underWay.withPermit(
        Effect.catch(answer(entries), (error) =>
          entries.length === 1 || isOutage(error) ? Effect.fail(error) : Effect.asVoid(answerEach(entries))
        )
      )
  })
  return (input) =>
    isLarge(input) ? Effect.map(store([input]), Arr.headNonEmpty) : Effect.request(new Asked({ input }), resolver)
}
