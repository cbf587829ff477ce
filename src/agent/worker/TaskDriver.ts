import { Cause, Clock, Duration, Effect, Fiber, Option, Ref, Schedule, Semaphore } from "effect"
import { Settings } from "../../config/Settings.ts"
import type { Desktop } from "../../desktop/Desktops.ts"
import { Stopping } from "../../health/Stopping.ts"
import { untraced } from "../../observability/TraceParent.ts"
import { replacedWithin } from "../../placement/Cluster.ts"
import type { Claim } from "../../tasks/Claims.ts"
import { Dispatch } from "../../tasks/Dispatch.ts"
import type { Lease } from "../../tasks/Lease.ts"
import { TaskRuns } from "../../tasks/TaskRuns.ts"
import { AgentLoop } from "../AgentLoop.ts"
import { Handover } from "../Handover.ts"
import type { makeOwnership } from "./DesktopOwnership.ts"
import { probeNow } from "./DesktopProbe.ts"
import { type WorkerAction, WorkerEvent } from "./WorkerState.ts"

/** The process stops, or the desktop goes to another replica: the run may end its step, for most of the shutdown timeout. */
const handOver = Effect.fnUntraced(function* (handover: Handover, fiber: Fiber.Fiber<void, unknown>) {
  const { shutdownTimeout } = yield* Settings
  const now = yield* Clock.currentTimeMillis
  const timeout = Math.max(0, Duration.toMillis(shutdownTimeout) * 0.8 - (now - handover.ask(now)))
  if (!handover.mayBreakOff) yield* Effect.timeoutOption(Fiber.await(fiber), timeout)
  yield* Fiber.interrupt(fiber)
})

/** Runs the tasks of one desktop, one after the other. */
export const makeTaskDriver = Effect.fnUntraced(function* (
  desktop: Desktop,
  url: string,
  ownership: Effect.Success<ReturnType<typeof makeOwnership>>,
  tell: (event: WorkerEvent) => Effect.Effect<ReadonlyArray<WorkerAction>>
) {
  const settings = yield* Settings
  const dispatch = yield* Dispatch
  const loop = yield* AgentLoop
  const runs = yield* TaskRuns
  const stopping = yield* Stopping
  const isConfigured = settings.desktops.some((one) => one.url === url)
  const running = yield* Ref.make<{ readonly lease: Lease; readonly fiber: Fiber.Fiber<void, unknown> } | undefined>(
    undefined
  )
  const oneDrive = yield* Semaphore.make(1)

  /** Runs a claimed task until its run ends, however it ends. */
  const run = Effect.fnUntraced(function* (claim: Claim) {
    const handover = new Handover()
    const fiber = yield* Effect.forkChild(loop.run(claim, handover))
    const handedOver = Effect.provideService(handOver(handover, fiber), Settings, settings)
    yield* Ref.set(running, { lease: claim.lease, fiber })
    const ended = Effect.raceFirst(
      Fiber.await(fiber),
      Effect.andThen(stopping.untilEnding, Effect.andThen(handedOver, Fiber.await(fiber)))
    )
    const exit = yield* Effect.andThen(tell(WorkerEvent.Claimed({ claim })), ended).pipe(
      Effect.onInterrupt(() => handedOver),
      Effect.ensuring(Ref.set(running, undefined))
    )
    if (exit._tag === "Failure" && !Cause.hasInterruptsOnly(exit.cause)) {
      yield* Effect.logWarning("The run of a task broke off", exit.cause)
    }
    yield* tell(WorkerEvent.RunEnded())
  })

  const driveOne = Effect.gen(function* () {
    yield* tell((yield* stopping.isLeaving) ? WorkerEvent.Stopping() : yield* probeNow(desktop))
    const [action] = yield* tell(WorkerEvent.Woken())
    if (action?._tag === "Park") return yield* Effect.never
    if (action?._tag !== "Claim") return false
    const claim = yield* runs.claim(yield* ownership.get)
    if (Option.isSome(claim)) yield* run(claim.value)
    return Option.isSome(claim)
  })

  const drive = Effect.gen(function* () {
    // A message from before the settings were changed.
    if (!isConfigured) return yield* dispatch.wakeIdle
    while (yield* driveOne) {}
  }).pipe(
    Effect.tapError((error) =>
      error._tag === "DatabaseUnavailable"
        ? Effect.logWarning("The worker waits for the database", error.message)
        : Effect.logInfo(error.message).pipe(
            Effect.andThen(Effect.sleep(replacedWithin)),
            Effect.andThen(ownership.forget)
          )
    ),
    Effect.retry(Schedule.spaced("1 second")),
    Effect.orDie,
    // It lasts as long as there are tasks; each run has its own trace.
    untraced
  )

  return {
    /** Runs due tasks until there are none. Without an end once the service stops, so that the wake-up reaches the next worker. */
    drive: oneDrive.withPermits(1)(drive),
    /** Breaks the run with this lease off, and waits until its action under way has ended. */
    stop: Effect.fnUntraced(function* (lease: Lease) {
      const current = yield* Ref.get(running)
      if (current?.lease === lease) yield* Fiber.interrupt(current.fiber)
    })
  }
})
