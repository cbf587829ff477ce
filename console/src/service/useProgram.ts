import { Effect, Fiber, Predicate, Schedule, Stream } from "effect"
import { useEffect, useState } from "react"
import type { WatchedEvent } from "../../../src/domain/WatchedEvent.ts"
import { Clients, runtime } from "./Clients.ts"
import { setConnection } from "./connection.ts"

export type Update<S> = (change: (state: S) => S) => void

/** The state that a program makes while the component is there. Another `key` is another program: the one before is interrupted. */
export const useProgram = <S>(
  initial: S,
  program: (update: Update<S>) => Effect.Effect<unknown, never, Clients>,
  key: string
): S => {
  const [state, setState] = useState(initial)
  // biome-ignore lint/correctness/useExhaustiveDependencies: each render makes the same program anew; the key says when it differs
  useEffect(() => {
    setState(initial)
    const fiber = runtime.runFork(program((change) => setState(change)))
    return () => void runtime.runFork(Fiber.interrupt(fiber))
  }, [key])
  return state
}

/** What another try does not mend: the task is deleted, or the login has ended. */
const isFinal = (error: unknown): boolean =>
  Predicate.isTagged(error, "TaskNotFound") || Predicate.isTagged(error, "Unauthorized")

const untilAnswered = Effect.gen(function* () {
  const { rpc } = yield* Clients
  yield* rpc.ListDesktops()
}).pipe(Effect.retry(Schedule.spaced("1 second")), Effect.orDie)

const setLive = Effect.sync(() => setConnection("live"))

/**
 * Events from now on, resumed after the last position when the connection breaks, without a gap. `load` runs once they arrive, and again
 * where some were lost for good. Fails where another try is of no use.
 */
export const follow = <E, LoadError>(
  open: (after: { readonly after?: string }) => Stream.Stream<WatchedEvent, E>,
  load: Effect.Effect<void, LoadError, Clients>,
  onEvent: (event: Exclude<WatchedEvent, { _tag: "Gap" }>) => void
): Effect.Effect<void, E | LoadError, Clients> =>
  Effect.gen(function* () {
    let position: string | undefined
    const watched = Effect.suspend(() =>
      Stream.runForEach(open(position === undefined ? {} : { after: position }), (event) => {
        position = event.position
        return event._tag === "Gap" ? Effect.ignore(load) : Effect.sync(() => onEvent(event))
      })
    ).pipe(
      Effect.catch((error) =>
        isFinal(error)
          ? Effect.fail(error)
          : Effect.sync(() => setConnection("lost")).pipe(
              Effect.andThen(Effect.sleep("500 millis")),
              Effect.andThen(untilAnswered),
              Effect.andThen(setLive)
            )
      ),
      Effect.forever
    )
    const opened = untilAnswered.pipe(Effect.andThen(setLive), Effect.andThen(load))
    yield* Effect.all([watched, opened], { concurrency: "unbounded", discard: true })
  })

/** A sentence for a failure of the service. */
export const sentenceOf = (error: unknown): string =>
  Predicate.hasProperty(error, "message") && typeof error.message === "string" && error.message !== ""
    ? error.message
    : "The service did not answer"
