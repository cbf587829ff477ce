import { Cause, Context, type DateTime, Duration, Effect, Fiber, Layer, Schema } from "effect"
import { ClusterSchema, DeliverAt, Entity, type Sharding } from "effect/cluster"
import { Rpc } from "effect/rpc"

/** A wake-up for later; the message storage holds it back until `at`. */
class WakeAtPayload extends Schema.Class<WakeAtPayload>("bytebot/placement/WakeAtPayload")({
  at: Schema.DateTimeUtcFromMillis
}) {
  [DeliverAt.symbol](): DateTime.DateTime {
    return this.at
  }
}

/** Look for due tasks and run them until there are none. Persisted, so that it outlives a crash of its worker. */
const Wake = Rpc.make("Wake")
  .annotate(ClusterSchema.Persisted, true)
  .annotate(ClusterSchema.Uninterruptible, "client")
  .annotate(ClusterSchema.InterruptOnTermination, true)

/** The same, at an instant: a scheduled task is due then. */
const WakeAt = Rpc.make("WakeAt", { payload: WakeAtPayload })
  .annotate(ClusterSchema.Persisted, true)
  .annotate(ClusterSchema.Uninterruptible, "client")
  .annotate(ClusterSchema.InterruptOnTermination, true)

/** A person changed who controls a task, or ended it: act on its row now. Volatile: without a worker there is nothing to stop. */
const Control = Rpc.make("Control", { payload: { taskId: Schema.String } })

/** Has an idle worker look for due tasks. Volatile: it is sent again. */
const Check = Rpc.make("Check")

/** A desktop; its id is the URL of its daemon. The process that holds its shard drives it alone. */
export const DesktopEntity = Entity.make("Desktop", [Wake, WakeAt, Control, Check])

/** How long a sender waits until its message is on its way. */
const sendTimeout = Duration.seconds(1)

/**
 * Messages to the worker of a desktop, wherever it lives. Sending never fails: the reconciler wakes a worker whose
 * message was lost, and the worker reads what to do from the database.
 */
export class Placement extends Context.Service<
  Placement,
  {
    /** Tells the desktop's worker that a task may be due. Send it after the commit that made it due. */
    readonly wake: (desktop: string) => Effect.Effect<void>
    /** The same, at an instant (UTC); survives restarts. */
    readonly wakeAt: (desktop: string, at: DateTime.Utc) => Effect.Effect<void>
    /** Tells the desktop's worker that the user took over, resumed, cancelled or deleted the task. */
    readonly control: (desktop: string, taskId: string) => Effect.Effect<void>
    /** Has the desktop's worker look for due tasks unless it is at work: the safety net for lost messages. */
    readonly check: (desktop: string) => Effect.Effect<void>
  }
>()("bytebot/Placement") {
  static readonly layer: Layer.Layer<Placement, never, Sharding.Sharding> = Layer.effect(
    Placement,
    Effect.gen(function* () {
      const desktops = yield* DesktopEntity.client
      const scope = yield* Effect.scope
      /** While no runner has the desktop, or the database is away, sending takes long; it goes on without the sender then. */
      const send = Effect.fnUntraced(function* (what: string, message: Effect.Effect<void, { readonly _tag: string }>) {
        const sending = yield* message.pipe(
          Effect.catchCause((cause) => Effect.logWarning(`${what} was not sent`, Cause.pretty(cause))),
          Effect.forkIn(scope)
        )
        yield* Effect.timeoutOption(Fiber.await(sending), sendTimeout)
      })
      return Placement.of({
        wake: Effect.fn("Placement.wake")((desktop: string) =>
          send("A wake-up", desktops(desktop).Wake(undefined, { discard: true }))
        ),
        wakeAt: Effect.fn("Placement.wakeAt")((desktop: string, at: DateTime.Utc) =>
          send("A scheduled wake-up", desktops(desktop).WakeAt(new WakeAtPayload({ at }), { discard: true }))
        ),
        control: Effect.fn("Placement.control")((desktop: string, taskId: string) =>
          send("A control command", desktops(desktop).Control({ taskId }, { discard: true }))
        ),
        check: Effect.fn("Placement.check")((desktop: string) =>
          send("A check", desktops(desktop).Check(undefined, { discard: true }))
        )
      })
    })
  )
}
