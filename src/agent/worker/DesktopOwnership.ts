import { Effect, Ref, Semaphore } from "effect"
import type { Ownership } from "../../tasks/Lease.ts"
import { TaskRuns } from "../../tasks/TaskRuns.ts"

/** A worker's right to claim tasks. A worker that finds itself replaced, and does not end for it, forgets it and takes the desktop back. */
export const makeOwnership = Effect.fnUntraced(function* (desktop: string, replica: string) {
  const runs = yield* TaskRuns
  const known = yield* Ref.make<Ownership | undefined>(undefined)
  const oneAtATime = yield* Semaphore.make(1)
  const get = Effect.gen(function* () {
    const owned = yield* Ref.get(known)
    if (owned !== undefined) return owned
    const taken = yield* runs.own(desktop, replica)
    yield* Ref.set(known, taken)
    return taken
  })
  return { get: oneAtATime.withPermits(1)(get), forget: Ref.set(known, undefined) }
})
