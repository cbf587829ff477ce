import { Array as Arrays, Context, type DateTime, Duration, Effect, Layer, Option, Queue, Random } from "effect"
import { Settings } from "../config/Settings.ts"
import { untraced } from "../observability/TraceParent.ts"
import { Placement } from "../placement/Placement.ts"
import { DesktopStates } from "./DesktopStates.ts"

/** Shortest time between two wake-ups for new tasks. A wake-up costs several statements; one finds all tasks that came before it. */
const wakeInterval = Duration.millis(50)

/** Gets idle desktops to work. Never fails: the reconciler finds what was missed. */
export class Dispatch extends Context.Service<Dispatch>()("bytebot/Dispatch", {
  make: Effect.gen(function* () {
    const { desktops } = yield* Settings
    const placement = yield* Placement
    const states = yield* DesktopStates
    const only = desktops.length === 1 ? desktops[0] : undefined

    /**
     * Wakes one idle desktop that could run a due task, if there is one. A worker calls it after each claim, so that no desktop stays idle
     * when several tasks come at once.
     */
    const wakeIdle =
      only === undefined
        ? states.idleWithWork.pipe(
            Effect.flatMap(Option.match({ onNone: () => Effect.void, onSome: placement.wake })),
            Effect.catch((error) => Effect.logWarning("No desktop was woken", error.message))
          )
        : placement.wake(only.url)

    /** Wakes one desktop at an instant (UTC), the named one if a task asks for it; survives restarts. */
    const wakeAt = Effect.fn("Dispatch.wakeAt")(function* (at: DateTime.Utc, wanted: string | undefined) {
      const candidates = desktops.filter(({ name }) => wanted === undefined || name === wanted)
      if (!Arrays.isReadonlyArrayNonEmpty(candidates)) return
      yield* placement.wakeAt((yield* Random.choice(candidates)).url, at)
    })

    // For the callers of a commit that made a task due: requests within 50 ms share one wake-up, which is sent after the last of them.
    const requests = yield* Queue.sliding<void>(1)
    yield* Queue.take(requests).pipe(
      Effect.andThen(wakeIdle),
      Effect.andThen(Effect.sleep(wakeInterval)),
      Effect.forever,
      untraced,
      Effect.forkScoped
    )

    return desktops.length === 0
      ? { wakeIdle: Effect.void, wakeSoon: Effect.void, wakeAt }
      : { wakeIdle, wakeSoon: Effect.asVoid(Queue.offer(requests, undefined)), wakeAt }
  })
}) {
  static readonly layer = Layer.effect(Dispatch, Dispatch.make)
}
