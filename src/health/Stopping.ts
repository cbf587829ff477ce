import { Context, Deferred, Duration, Effect, Layer } from "effect"
import { Settings } from "../config/Settings.ts"

/** What is said of the service while it stops. */
export const stoppingReason = "The service is stopping"

/** Milliseconds that the end may take beyond what its parts may, one after the other. */
const grace = 5_000

/**
 * By now all work is handed over or given up. What hangs belongs to a library: the cluster's RPC server (effect 4.1) waits without end to
 * answer a replica that has gone away.
 */
const endAnyway = (): void => {
  process.stderr.write("The service did not end in time: ending the process\n")
  process.exit(1)
}

/**
 * The end of the service, in two steps: first it says that it is not ready and takes no new work, while it still answers, so that load
 * balancers turn away from it; then what is under way is handed over and everything ends.
 */
export class Stopping extends Context.Service<
  Stopping,
  {
    /** Whether it was told to stop. */
    readonly isLeaving: Effect.Effect<boolean>
    readonly isLeavingUnsafe: () => boolean
    /** Waits until what is under way has to end. */
    readonly untilEnding: Effect.Effect<void>
    readonly leave: Effect.Effect<void>
  }
>()("bytebot/Stopping") {
  static readonly layer = Layer.effect(
    Stopping,
    Effect.gen(function* () {
      const { shutdownDelay, shutdownTimeout } = yield* Settings
      const ending = yield* Deferred.make<void>()
      let isLeaving = false
      let watchdog: NodeJS.Timeout | undefined
      // Runs when everything that was built on this has ended.
      yield* Effect.addFinalizer(() => Effect.sync(() => clearTimeout(watchdog)))
      return Stopping.of({
        isLeaving: Effect.sync(() => isLeaving),
        isLeavingUnsafe: () => isLeaving,
        untilEnding: Deferred.await(ending),
        leave: Effect.gen(function* () {
          isLeaving = true
          yield* Effect.logInfo(stoppingReason)
          yield* Effect.sleep(shutdownDelay)
          yield* Deferred.succeed(ending, undefined)
          watchdog = setTimeout(endAnyway, Duration.toMillis(shutdownTimeout) * 2 + grace)
        })
      })
    })
  )

  /** Takes leave when the scope closes: to be built on everything that is to work on meanwhile. */
  static readonly atEnd: Layer.Layer<never, never, Stopping> = Layer.effectDiscard(
    Effect.flatMap(Stopping, ({ leave }) => Effect.addFinalizer(() => leave))
  )
}
