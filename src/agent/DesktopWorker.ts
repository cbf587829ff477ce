import { randomUUID } from "node:crypto"
import {
  Cause,
  Clock,
  DateTime,
  Duration,
  Effect,
  Fiber,
  FiberHandle,
  Option,
  Queue,
  Ref,
  Schedule,
  Semaphore
} from "effect"
import { Entity, Singleton } from "effect/cluster"
import { Rpc } from "effect/rpc"
import { withoutCredentials } from "../config/Credentials.ts"
import { Settings } from "../config/Settings.ts"
import { withoutHaste } from "../database/DatabaseRetry.ts"
import { DesktopStates, reportInterval } from "../desktop/DesktopStates.ts"
import { Desktops, type UserInput } from "../desktop/Desktops.ts"
import { pngImage, type UserActionBlock } from "../domain/ContentBlock.ts"
import { TaskId } from "../domain/Task.ts"
import { Stopping } from "../health/Stopping.ts"
import { Conversations } from "../messages/Conversations.ts"
import { untraced } from "../observability/TraceParent.ts"
import { replacedWithin } from "../placement/Cluster.ts"
import { DesktopEntity, Placement } from "../placement/Placement.ts"
import { Dispatch } from "../tasks/Dispatch.ts"
import type { Ownership } from "../tasks/Lease.ts"
import { type Claim, TaskRuns } from "../tasks/TaskRuns.ts"
import { AgentLoop } from "./AgentLoop.ts"
import { Handover } from "./Handover.ts"

/** How often due tasks are looked for even though nobody said a word: the original's interval (agent.md, "Pick"). */
const checkInterval = Duration.seconds(5)

/** How often a desktop that answers is asked whether it still does. */
const probeInterval = Duration.seconds(5)

/** Milliseconds for which it is believed that a desktop that has answered is still there. */
const freshFor = 2_000

/** Actions of a person that are stored (agent.md, "User control"). */
const capturedActions = new Set([
  "click_mouse",
  "drag_mouse",
  "press_mouse",
  "type_keys",
  "press_keys",
  "type_text",
  "scroll"
])

/** The worker of one desktop: runs its tasks one after the other, and captures what the user does when in control. */
const makeWorker = Effect.fnUntraced(function* (desktop: string, replica: string) {
  const { desktopLost, desktopLostAfter, desktops, shutdownTimeout } = yield* Settings
  const conversations = yield* Conversations
  const loop = yield* AgentLoop
  const placement = yield* Placement
  const runs = yield* TaskRuns
  const states = yield* DesktopStates
  const dispatch = yield* Dispatch
  const stopping = yield* Stopping
  const client = (yield* Desktops).at(desktop)
  const { contact } = client
  const isConfigured = desktops.some(({ url }) => url === desktop)

  const running = yield* Ref.make(Option.none<{ readonly claim: Claim; readonly fiber: Fiber.Fiber<void, unknown> }>())
  const captured = yield* Ref.make(Option.none<TaskId>())
  const capture = yield* FiberHandle.make<void, never>()
  const owner = yield* Ref.make(Option.none<Ownership>())
  const oneControl = yield* Semaphore.make(1)
  const oneDrive = yield* Semaphore.make(1)
  const oneOwner = yield* Semaphore.make(1)

  const tracking = (effect: typeof client.startTracking) =>
    Effect.catch(effect, (error) => Effect.logWarning("Input tracking did not change", error.message))

  const store = Effect.fnUntraced(function* (taskId: TaskId, input: UserInput) {
    // While a task of ours runs, what the daemon reports are our own actions (desktop.md).
    if (Option.isSome(yield* Ref.get(running))) return
    const block = userAction(input)
    if (block !== undefined) yield* withoutHaste(conversations.appendUserAction(taskId, block))
  })

  const startCapture = Effect.fnUntraced(function* (taskId: TaskId) {
    yield* Ref.set(captured, Option.some(taskId))
    yield* Effect.scoped(
      Effect.gen(function* () {
        const inputs = yield* client.userInput
        return yield* Effect.forever(
          Effect.flatMap(Queue.take(inputs), (input) =>
            Effect.catchCause(store(taskId, input), (cause) =>
              Effect.logWarning("An action of the user was not stored", cause)
            )
          )
        )
      })
    ).pipe(FiberHandle.run(capture))
    yield* tracking(client.startTracking)
  })

  const stopCapture = Effect.gen(function* () {
    yield* FiberHandle.clear(capture)
    yield* Ref.set(captured, Option.none())
    yield* tracking(client.stopTracking)
  })

  /** Does what a user's command on the task asks of this desktop; the row says what that is. */
  const control = Effect.fn("DesktopWorker.control")(
    function* (taskId: TaskId) {
      yield* Effect.annotateCurrentSpan({ "task.id": taskId, "desktop.url": withoutCredentials(desktop) })
      const before = yield* runs.standing(taskId)
      const current = yield* Ref.get(running)
      if (Option.isSome(current) && current.value.claim.lease.taskId === taskId) {
        const owns = Option.isSome(before) && before.value.epoch === current.value.claim.lease.epoch
        if (!owns) yield* Fiber.interrupt(current.value.fiber)
      }
      // The action in flight has ended by now; the user may have decided otherwise in the meantime.
      const standing = yield* runs.standing(taskId)
      const byUser =
        Option.isSome(standing) && standing.value.control === "USER" && standing.value.status !== "CANCELLED"
      const isCaptured = Option.exists(yield* Ref.get(captured), (id) => id === taskId)
      if (byUser) return yield* startCapture(taskId)
      const handedBack = Option.isSome(standing) && standing.value.status === "RUNNING"
      if (isCaptured || handedBack) yield* stopCapture
    },
    (effect) => oneControl.withPermits(1)(effect),
    withoutHaste,
    Effect.catchCause((cause) => Effect.logWarning("A control command failed", cause))
  )

  /** This worker's right to claim tasks; a worker that finds itself replaced, and is not ended for it, takes the desktop back. */
  const ownership = Effect.gen(function* () {
    const known = yield* Ref.get(owner)
    if (Option.isSome(known)) return known.value
    const taken = yield* runs.own(desktop, replica)
    yield* Ref.set(owner, Option.some(taken))
    return taken
  }).pipe((effect) => oneOwner.withPermits(1)(effect))

  /** A task was left alone because the desktop seemed not to be there. */
  let hasDeclined = false

  /** Whether the desktop is there: one that does not answer gets no task. */
  const isThere = Effect.gen(function* () {
    const now = yield* Clock.currentTimeMillis
    if (contact.state._tag !== "Answering" || now - contact.seenAt > freshFor) yield* client.probe
    hasDeclined = contact.state._tag !== "Answering"
    return !hasDeclined
  })

  /** The process stops, or the desktop goes to another replica: the run may end its step, but not take all day. */
  const handOver = Effect.fnUntraced(function* (handover: Handover, fiber: Fiber.Fiber<void, unknown>) {
    const now = yield* Clock.currentTimeMillis
    const patience = Math.max(0, Duration.toMillis(shutdownTimeout) * 0.8 - (now - handover.ask(now)))
    if (!handover.mayBreakOff) yield* Effect.timeoutOption(Fiber.await(fiber), patience)
    yield* Fiber.interrupt(fiber)
  })

  /** Runs due tasks until there are none. */
  const drive = oneDrive
    .withPermits(1)(
      Effect.gen(function* () {
        // A message from before the settings were changed.
        if (!isConfigured) return yield* dispatch.wakeIdle
        for (;;) {
          // Without an answer, so that the message that brought us here wakes the worker that comes after us.
          if (yield* stopping.isLeaving) return yield* Effect.never
          if (!(yield* isThere)) return
          const claim = yield* runs.claim(yield* ownership)
          if (Option.isNone(claim)) return
          const { lease } = claim.value
          const handover = new Handover()
          const fiber = yield* Effect.forkChild(loop.run(claim.value, handover))
          yield* Ref.set(running, Option.some({ claim: claim.value, fiber }))
          if (desktops.length > 1) yield* dispatch.wakeIdle
          const ended = Effect.raceFirst(
            Fiber.await(fiber),
            Effect.andThen(stopping.untilEnding, Effect.andThen(handOver(handover, fiber), Fiber.await(fiber)))
          )
          const exit = yield* ended.pipe(
            Effect.onInterrupt(() => handOver(handover, fiber)),
            Effect.ensuring(Ref.set(running, Option.none()))
          )
          if (exit._tag === "Failure" && !Cause.hasInterruptsOnly(exit.cause)) {
            yield* Effect.logWarning("The run of a task broke off", exit.cause)
          }
          const standing = yield* runs.standing(lease.taskId)
          const needsHelp = Option.isSome(standing) && standing.value.control === "USER"
          if (needsHelp && standing.value.epoch === lease.epoch) yield* startCapture(lease.taskId)
        }
      })
    )
    .pipe(
      Effect.tapError((error) =>
        error._tag === "DatabaseUnavailable"
          ? Effect.logWarning("The worker waits for the database", error.message)
          : Effect.logInfo(error.message).pipe(
              Effect.andThen(Effect.sleep(replacedWithin)),
              Effect.andThen(Ref.set(owner, Option.none()))
            )
      ),
      Effect.retry(Schedule.spaced("1 second")),
      Effect.orDie,
      // It lasts as long as there are tasks; each run has its own trace.
      untraced
    )

  /** What a restart, or an outage of the database, has made us forget: due tasks, and that a user holds the desktop. */
  const check = Effect.gen(function* () {
    if (Option.isSome(yield* Ref.get(running))) return
    const held = yield* runs.heldByUser(desktop)
    if (Option.isNone(held)) return yield* placement.wake(desktop)
    if (Option.isNone(yield* Ref.get(captured))) yield* startCapture(held.value)
  }).pipe(Effect.catchCause((cause) => Effect.logWarning("Due tasks could not be looked for", cause)))

  /** A scheduled task is due; if this desktop is at work, another one may be free. */
  const due = Effect.flatMap(Ref.get(running), (current) =>
    Option.isNone(current) ? placement.wake(desktop) : dispatch.wakeIdle
  )

  const report = Effect.gen(function* () {
    const { seenAt, state } = contact
    yield* states.report(yield* ownership, {
      seenAt: seenAt === 0 ? null : DateTime.makeUnsafe(seenAt),
      unreachableSince: state._tag === "Lost" ? DateTime.makeUnsafe(state.since) : null
    })
  })

  /** Lets other desktops have the tasks of this one, which does not answer. An action under way is waited for. */
  const handTasksOver = Effect.gen(function* () {
    const current = yield* Ref.get(running)
    if (Option.isSome(current) && !current.value.claim.isBound) yield* Fiber.interrupt(current.value.fiber)
    if (contact.state._tag !== "Lost" || !(yield* runs.leave(yield* ownership))) return
    yield* Effect.logWarning("The desktop does not answer, its task goes to another one")
    yield* dispatch.wakeIdle
  })

  /** Asks the desktop now and then whether it is there, tells everybody, and sees to its tasks when that changes. */
  const watch = Effect.gen(function* () {
    let reported = "Unknown"
    let reportedAt = 0
    for (;;) {
      // What comes of a request under way will tell: the daemon may be slow while it acts.
      if (contact.state._tag !== "Answering" || !contact.isBusy) yield* client.probe
      const { state } = contact
      const tasks = Effect.gen(function* () {
        const now = yield* Clock.currentTimeMillis
        if (state._tag !== reported || now - reportedAt >= Duration.toMillis(reportInterval)) {
          yield* report
          reportedAt = now
        }
        if (state._tag === "Answering" && (hasDeclined || reported !== "Answering")) {
          if (Option.isSome(yield* Ref.get(captured))) yield* tracking(client.startTracking)
          yield* check
        }
        if (state._tag === "Lost" && reported !== "Lost") yield* dispatch.wakeIdle
        reported = state._tag
        if (state._tag !== "Lost" || desktopLost !== "handover" || desktops.length === 1) return
        if (now - state.since >= Duration.toMillis(desktopLostAfter)) yield* handTasksOver
      })
      yield* Effect.catchCause(tasks, (cause) => Effect.logWarning("The desktop's state was not stored", cause))
      yield* state._tag === "Answering"
        ? Effect.raceFirst(Effect.sleep(probeInterval), contact.until("Doubtful", "Lost"))
        : Effect.sleep(contact.pause)
    }
  })
  if (isConfigured) yield* Effect.forkScoped(untraced(watch))

  return { control, drive, due, check }
})

/** The daemon's fields as the input of the tool that does the same; undefined for what is not stored. */
const userAction = ({ action: { action, sensitive, ...fields }, image }: UserInput): UserActionBlock | undefined => {
  if (typeof action !== "string" || !capturedActions.has(action)) return undefined
  const input = sensitive === undefined ? fields : { ...fields, isSensitive: sensitive }
  const use = { id: randomUUID(), name: `computer_${action}`, type: "tool_use", input } as const
  return { type: "user_action", content: image === undefined ? [use] : [pngImage(image), use] }
}

/** The handlers of the entity: one worker per desktop, on the replica that holds its shard. */
export const layer = DesktopEntity.toLayer(
  Effect.gen(function* () {
    const { entityId } = yield* Entity.CurrentAddress
    const { host, port } = yield* Entity.CurrentRunnerAddress
    const worker = yield* makeWorker(entityId, `${host}:${port}`)
    return DesktopEntity.of({
      Wake: () => worker.drive,
      WakeAt: () => Rpc.fork(worker.due),
      Control: ({ payload }) => Rpc.fork(worker.control(TaskId.make(payload.taskId))),
      Check: () => Rpc.fork(worker.check)
    })
  }),
  { maxIdleTime: Duration.infinity, concurrency: 1 }
)

/** Marks scheduled tasks that are due, wakes idle workers and those that are gone, once in the cluster. */
export const reconciler = Singleton.make(
  "TaskReconciler",
  Effect.gen(function* () {
    const placement = yield* Placement
    const runs = yield* TaskRuns
    const states = yield* DesktopStates
    yield* Effect.gen(function* () {
      yield* runs.queueDue
      yield* runs.leaveRemoved
      yield* Effect.forEach(yield* states.toBeChecked, placement.check, { discard: true })
    }).pipe(
      Effect.catchCause((cause) => Effect.logWarning("Due tasks could not be looked for", cause)),
      Effect.repeat(Schedule.spaced(checkInterval)),
      untraced
    )
  })
)
