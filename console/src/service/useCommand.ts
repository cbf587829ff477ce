import { Effect } from "effect"
import { useState } from "react"
import { type Clients, runtime } from "./Clients.ts"
import { sentenceOf } from "./useProgram.ts"

export interface Command<A> {
  readonly run: (input: A) => void
  readonly busy: boolean
  readonly problem: string | undefined
}

/** Something a person asks for once: at most one at a time, its refusal in words. */
export const useCommand = <A, B>(
  perform: (input: A) => Effect.Effect<B, unknown, Clients>,
  onSuccess: (value: B) => void = () => undefined
): Command<A> => {
  const [state, setState] = useState<Omit<Command<A>, "run">>({ busy: false, problem: undefined })
  const run = (input: A) => {
    if (state.busy) return
    setState({ busy: true, problem: undefined })
    runtime.runFork(
      Effect.matchEffect(perform(input), {
        onFailure: (error) => Effect.sync(() => setState({ busy: false, problem: sentenceOf(error) })),
        onSuccess: (value) =>
          Effect.sync(() => {
            setState({ busy: false, problem: undefined })
            onSuccess(value)
          })
      })
    )
  }
  return { ...state, run }
}
