import { Array as Arr, Effect, Exit, Request, RequestResolver, Semaphore } from "effect"
import type { SqlError } from "effect/sql"
import { isOutage } from "./DatabaseFailure.ts"

/** Most that one statement gets to do. */
const most = 64

/**
 * Has one statement do what several ask for at the same time: what comes while it is under way gathers for the next one. Who comes alone
 * does not wait. PostgreSQL commits hundreds of rows at the cost of one, and only one transaction at a time where it notifies of them.
 *
 * `store` gets at least one input, answers for each in the same order, and does all of it or nothing. Where it fails and the database is
 * there, it is asked again with each input alone, so that nobody fails for the fault of another one. What `isLarge` is stored by itself at
 * once: it is not made to wait for that of others, nor others for it; nor would all of it fit into one statement.
 */
export const gathered = <I, A>(
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
