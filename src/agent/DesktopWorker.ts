import { randomUUID } from "node:crypto"
import { Cause, Duration, Effect, Fiber, FiberHandle, Option, Queue, Ref, Schedule, Semaphore } from "effect"
import { Entity, Singleton } from "effect/cluster"
import { Rpc } from "effect/rpc"
import { Settings } from "../config/Settings.ts"
import { withoutHaste } from "../database/DatabaseRetry.ts"
import { Desktops, type UserInput } from "../desktop/Desktops.ts"
import { pngImage, type UserActionBlock } from "../domain/ContentBlock.ts"
import { TaskId } from "../domain/Task.ts"
import { Conversations } from "../messages/Conversations.ts"
import { replacedWithin } from "../placement/Cluster.ts"
import { DesktopEntity, Placement } from "../placement/Placement.ts"
import type { Lease, Ownership } from "../tasks/Lease.ts"
import { TaskRuns } from "../tasks/TaskRuns.ts"
import { AgentLoop } from "./AgentLoop.ts"
import { Handover } from "./Handover.ts"

/** How often due tasks are looked for even though nobody said a word: the original's interval (agent.md, "Pick"). */
const checkInterval = Duration.seconds(5)

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
  const { shutdownTimeout } = yield* Settings
  const conversations = yield* Conversations
  const loop = yield* AgentLoop
  const placement = yield* Placement
  const runs = yield* TaskRuns
  const client = (yield* Desktops).at(desktop)

  const running = yield* Ref.make(Option.none<{ readonly lease: Lease; readonly fiber: Fiber.Fiber<void, unknown> }>())
  const captured = yield* Ref.make(Option.none<TaskId>())
  const capture = yield* FiberHandle.make<void, never>()
  const owner = yield* Ref.make(Option.none<Ownership>())
  const oneControl = yield* Semaphore.make(1)
  const oneDrive = yield* Semaphore.make(1)

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
      yield* Effect.annotateCurrentSpan({ "task.id": taskId, "desktop.url": desktop })
      const before = yield* runs.standing(taskId)
      const current = yield* Ref.get(running)
      if (Option.isSome(current) && current.value.lease.taskId === taskId) {
        const owns = Option.isSome(before) && before.value.epoch === current.value.lease.epoch
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
  })

  /** The process stops, or the desktop goes to another replica: the run may end its step, but not take all day. */
  const handOver = Effect.fnUntraced(function* (handover: Handover, fiber: Fiber.Fiber<void, unknown>) {
    handover.ask()
    const patience = Duration.times(shutdownTimeout, 0.8)
    if (!handover.mayBreakOff) yield* Effect.timeoutOption(Fiber.await(fiber), patience)
    yield* Fiber.interrupt(fiber)
  })

  /** Runs due tasks until there are none. */
  const drive = oneDrive
    .withPermits(1)(
      Effect.gen(function* () {
        for (;;) {
          const claim = yield* runs.claim(yield* ownership)
          if (Option.isNone(claim)) return
          const { lease } = claim.value
          const handover = new Handover()
          const fiber = yield* Effect.forkChild(loop.run(claim.value, handover))
          yield* Ref.set(running, Option.some({ lease, fiber }))
          const exit = yield* Fiber.await(fiber).pipe(
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
      Effect.withSpan("DesktopWorker.drive", { attributes: { "desktop.url": desktop } })
    )

  /** What a restart, or an outage of the database, has made us forget: due tasks, and that a user holds the desktop. */
  const check = Effect.gen(function* () {
    if (Option.isSome(yield* Ref.get(running))) return
    const held = yield* runs.heldByUser(desktop)
    if (Option.isNone(held)) return yield* placement.wake(desktop)
    if (Option.isNone(yield* Ref.get(captured))) yield* startCapture(held.value)
  }).pipe(Effect.catchCause((cause) => Effect.logWarning("Due tasks could not be looked for", cause)))

  return { control, drive, check }
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
      WakeAt: () => worker.drive,
      Control: ({ payload }) => Rpc.fork(worker.control(TaskId.make(payload.taskId))),
      Check: () => Rpc.fork(worker.check)
    })
  }),
  { maxIdleTime: Duration.infinity, concurrency: 1 }
)

/** Marks scheduled tasks that are due and wakes idle workers, once in the cluster. */
export const reconciler = Singleton.make(
  "TaskReconciler",
  Effect.gen(function* () {
    const { desktopUrls } = yield* Settings
    const placement = yield* Placement
    const runs = yield* TaskRuns
    yield* Effect.gen(function* () {
      if (yield* runs.queueDue) yield* Effect.forEach(desktopUrls, placement.check, { discard: true })
    }).pipe(
      Effect.catchCause((cause) => Effect.logWarning("Due tasks could not be looked for", cause)),
      Effect.repeat(Schedule.spaced(checkInterval))
    )
  })
)
