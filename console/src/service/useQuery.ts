import { Effect, Schedule } from "effect"
import type { Clients } from "./Clients.ts"
import { sentenceOf, useProgram } from "./useProgram.ts"

export interface Query<A> {
  readonly value: A | undefined
  readonly problem: string | undefined
}

/** What the service answers; another `key` is another question. Asked again every `everyMs` milliseconds, if given. */
export const useQuery = <A>(ask: Effect.Effect<A, unknown, Clients>, key: string, everyMs?: number): Query<A> =>
  useProgram<Query<A>>(
    { value: undefined, problem: undefined },
    (update) => {
      const once = Effect.matchEffect(ask, {
        onFailure: (error) => Effect.sync(() => update((known) => ({ ...known, problem: sentenceOf(error) }))),
        onSuccess: (value) => Effect.sync(() => update(() => ({ value, problem: undefined })))
      })
      return everyMs === undefined ? once : Effect.repeat(once, Schedule.spaced(everyMs))
    },
    key
  )
