import { Duration, Effect, Layer, Ref, Semaphore } from "effect"
import { Entity } from "effect/cluster"
import { Rpc } from "effect/rpc"
import { withoutCredentials } from "../../config/Credentials.ts"
import { Settings } from "../../config/Settings.ts"
import { retryUntilAvailable } from "../../database/DatabaseRetry.ts"
import { Desktops } from "../../desktop/Desktops.ts"
import { TaskId } from "../../domain/Task.ts"
import { untraced } from "../../observability/TraceParent.ts"
import { DesktopEntity, Placement } from "../../placement/Placement.ts"
import { DesktopHolds } from "../../tasks/DesktopHolds.ts"
import { Dispatch } from "../../tasks/Dispatch.ts"
import { makeOwnership } from "./DesktopOwnership.ts"
import { watchDesktop } from "./DesktopProbe.ts"
import { makeInputCapture } from "./InputCapture.ts"
import { makeTaskDriver } from "./TaskDriver.ts"
import { claimOf, heldOf, initialState, transition, type WorkerAction, WorkerEvent } from "./WorkerState.ts"

/** The worker of one desktop: does what the transitions of its state ask for. */
const makeWorker = Effect.fnUntraced(function* (url: string, replica: string) {
  const { desktops } = yield* Settings
  const dispatch = yield* Dispatch
  const holds = yield* DesktopHolds
  const placement = yield* Placement
  const desktop = (yield* Desktops).at(url)
  const state = yield* Ref.make(initialState)
  const oneLook = yield* Semaphore.make(1)
  const ownership = yield* makeOwnership(desktop, url, replica)
  const capture = yield* makeInputCapture(
    desktop,
    Effect.map(Ref.get(state), (current) => heldOf(current)?.taskId)
  )

  const apply = (event: WorkerEvent) =>
    Ref.modify(state, (current) => {
      const [next, actions] = transition(current, event)
      return [actions, next]
    })

  /** `look` is what the action Look does: a look that follows from another one is part of it. */
  const performAll = (actions: ReadonlyArray<WorkerAction>, look: Effect.Effect<void>): Effect.Effect<void> =>
    Effect.forEach(actions, (action) => perform(action, look), { discard: true })

  const perform = (action: WorkerAction, look: Effect.Effect<void>): Effect.Effect<void> => {
    switch (action._tag) {
      // The driver asked, and does it itself.
      case "Claim":
      case "Park":
        return Effect.void
      case "StopRun":
        return driver.stop(action.claim.lease)
      case "Look":
        return look
      case "Capture":
      case "TrackAgain":
        return capture.start
      case "EndCapture":
        return capture.stop
      case "Wake":
        return placement.wake(url)
      case "WakeOthers":
        return desktops.length > 1 ? dispatch.wakeIdle : Effect.void
      case "LeaveTasks":
        return ownership.leaveTasks
    }
  }

  const tell = (event: WorkerEvent) => Effect.tap(apply(event), (actions) => performAll(actions, look(undefined)))

  /** Asks the database who holds the desktop and whether its run still owns its task, and acts on it. `taskId` is the task that a command is about. */
  const lookNow = (taskId: TaskId | undefined): Effect.Effect<void> =>
    Effect.gen(function* () {
      const lease = claimOf(yield* Ref.get(state))?.lease
      const facts = yield* holds.look(url, { lease, taskId })
      yield* performAll(yield* apply(WorkerEvent.Looked({ facts, lease })), lookNow(taskId))
      yield* holds.tell(facts.toBeTold)
    }).pipe(
      Effect.catchCause((cause) =>
        Effect.logWarning("It is not known who holds the desktop; asking again later", cause)
      )
    )
  const look = (taskId: TaskId | undefined) => oneLook.withPermits(1)(lookNow(taskId))

  const driver = yield* makeTaskDriver(desktop, url, ownership, tell)
  const place = desktops.find((one) => one.url === url)
  if (place !== undefined) {
    yield* Effect.forkScoped(untraced(watchDesktop(place.name, desktop, ownership.get, tell)))
  }

  return {
    drive: driver.drive,
    /** A person's command on the task is committed. */
    control: Effect.fn("DesktopWorker.control")(function* (taskId: TaskId) {
      yield* Effect.annotateCurrentSpan({ "task.id": taskId, "desktop.url": withoutCredentials(url) })
      yield* look(taskId)
    }, retryUntilAvailable),
    /** A scheduled task is due; if this desktop is at work, another one may be free. */
    due: Effect.flatMap(Ref.get(state), (current) =>
      claimOf(current) === undefined ? placement.wake(url) : dispatch.wakeIdle
    ),
    /** Makes up for lost messages: commands of persons, and due tasks. */
    check: Effect.andThen(look(undefined), Effect.asVoid(tell(WorkerEvent.Checked())))
  }
})

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
).pipe(Layer.provide(DesktopHolds.layer))
