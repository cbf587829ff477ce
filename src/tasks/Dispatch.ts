import { Array as Arrays, Context, type DateTime, Effect, Layer, Option, Random } from "effect"
import { Settings } from "../config/Settings.ts"
import { DesktopStates } from "../desktop/DesktopStates.ts"
import { Placement } from "../placement/Placement.ts"

/** Gets idle desktops to work. Never fails: the reconciler finds what was missed. */
export class Dispatch extends Context.Service<
  Dispatch,
  {
    /**
     * Wakes one idle desktop that could run a due task, if there is one. To be called after each commit that makes a task due, and after
     * each claim: whoever takes a task passes the word on, so that no desktop stays idle when several tasks come at once.
     */
    readonly wakeIdle: Effect.Effect<void>
    /** Wakes one desktop at an instant (UTC), the named one if a task asks for it; survives restarts. */
    readonly wakeAt: (at: DateTime.Utc, desktop: string | undefined) => Effect.Effect<void>
  }
>()("bytebot/Dispatch") {
  static readonly layer = Layer.effect(
    Dispatch,
    Effect.gen(function* () {
      const { desktops } = yield* Settings
      const placement = yield* Placement
      const states = yield* DesktopStates
      const only = desktops.length === 1 ? desktops[0] : undefined

      const wakeIdle =
        only === undefined
          ? states.idleWithWork.pipe(
              Effect.flatMap(Option.match({ onNone: () => Effect.void, onSome: placement.wake })),
              Effect.catch((error) => Effect.logWarning("No desktop was woken", error.message))
            )
          : placement.wake(only.url)

      const wakeAt = Effect.fn("Dispatch.wakeAt")(function* (at: DateTime.Utc, wanted: string | undefined) {
        const candidates = desktops.filter(({ name }) => wanted === undefined || name === wanted)
        if (!Arrays.isReadonlyArrayNonEmpty(candidates)) return
        yield* placement.wakeAt((yield* Random.choice(candidates)).url, at)
      })

      return Dispatch.of({ wakeIdle: desktops.length === 0 ? Effect.void : wakeIdle, wakeAt })
    })
  )
}
