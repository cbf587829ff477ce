import { Effect, Ref, Semaphore } from "effect"
import { withoutCredentials } from "../../config/Credentials.ts"
import type { Desktop } from "../../desktop/Desktops.ts"
import { Dispatch } from "../../tasks/Dispatch.ts"
import type { Ownership } from "../../tasks/Lease.ts"
import { TaskRuns } from "../../tasks/TaskRuns.ts"

/** A worker's right to claim tasks for its desktop, and to let others have them. */
export const makeOwnership = Effect.fnUntraced(function* (desktop: Desktop, url: string, replica: string) {
  const dispatch = yield* Dispatch
  const runs = yield* TaskRuns
  const known = yield* Ref.make<Ownership | undefined>(undefined)
  const oneAtATime = yield* Semaphore.make(1)

  const get = Effect.gen(function* () {
    const owned = yield* Ref.get(known)
    if (owned !== undefined) return owned
    const { previous, ...taken } = yield* runs.own(url, replica)
    if (previous !== null && previous !== replica) {
      yield* Effect.logInfo(`The desktop was taken over from replica ${previous}`).pipe(
        Effect.annotateLogs({ desktop: withoutCredentials(url) })
      )
    }
    yield* Ref.set(known, taken)
    return taken
  }).pipe(oneAtATime.withPermits(1))

  const leaveTasks = Effect.gen(function* () {
    if (desktop.contact.state._tag !== "Lost" || !(yield* runs.leave(yield* get))) return
    yield* Effect.logWarning("The desktop does not answer, its task goes to another one")
    yield* dispatch.wakeIdle
  }).pipe(Effect.catchCause((cause) => Effect.logWarning("The tasks of a lost desktop were not left", cause)))

  return {
    get,
    /** For a worker that finds itself replaced, and does not end for it: it takes the desktop back. */
    forget: Ref.set(known, undefined),
    /** Lets other desktops have the tasks of this one, if it does not answer. They must not run any more. */
    leaveTasks
  }
})
