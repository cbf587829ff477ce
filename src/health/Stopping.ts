import { Context, Deferred, Effect, Layer } from "effect"
import { Settings } from "../config/Settings.ts"

/** What is said of the service while it stops. */
export const stoppingReason = "The service is stopping"

/**
 * The end of the service, in two steps: first it says that it is not ready and takes no new work, while it still answers, so that load
 * balancers turn away from it; then what is under way is handed over and everything ends.
 */
export class Stopping extends Context.Service<
  Stopping,
  {
    /** Whether it was told to stop. */
    readonly isLeaving: Effect.Effect<boolean>
    /** Waits until what is under way has to end. */
    readonly untilEnding: Effect.Effect<void>
    readonly leave: Effect.Effect<void>
  }
>()("bytebot/Stopping") {
  static readonly layer = Layer.effect(
    Stopping,
    Effect.gen(function* () {
      const { shutdownDelay } = yield* Settings
      const ending = yield* Deferred.make<void>()
      let isLeaving = false
      return Stopping.of({
        isLeaving: Effect.sync(() => isLeaving),
        untilEnding: Deferred.await(ending),
        leave: Effect.gen(function* () {
          isLeaving = true
          yield* Effect.logInfo(stoppingReason)
          yield* Effect.sleep(shutdownDelay)
          yield* Deferred.succeed(ending, undefined)
        })
      })
    })
  )

  /** Takes leave when the scope closes: to be built on everything that is to work on meanwhile. */
  static readonly atEnd: Layer.Layer<never, never, Stopping> = Layer.effectDiscard(
    Effect.flatMap(Stopping, ({ leave }) => Effect.addFinalizer(() => leave))
  )
}
