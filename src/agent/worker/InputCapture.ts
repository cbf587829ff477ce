import { randomUUID } from "node:crypto"
import { DateTime, Duration, Effect, FiberHandle, Queue, Ref, Schedule, Semaphore } from "effect"
import { retryUntilAvailable } from "../../database/DatabaseRetry.ts"
import type { Desktop, DesktopFailed } from "../../desktop/Desktops.ts"
import { inputCapacity, type UserInput } from "../../desktop/UserInput.ts"
import { pngImage, type UserActionBlock } from "../../domain/ContentBlock.ts"
import type { TaskId } from "../../domain/Task.ts"
import { Conversations } from "../../messages/Conversations.ts"

/** Actions of a person that are stored (docs/contract/agent.md, "User control"). */
const capturedActions: ReadonlySet<unknown> = new Set([
  "click_mouse",
  "drag_mouse",
  "press_mouse",
  "type_keys",
  "press_keys",
  "type_text",
  "scroll"
])

/** How long to wait before a daemon that failed is asked again to report input. */
const trackingPause = Duration.seconds(5)

/** The daemon's fields as the input of the tool that does the same; undefined for what is not stored. */
const userAction = ({ action: { action, sensitive, ...fields }, image }: UserInput): UserActionBlock | undefined => {
  if (!capturedActions.has(action)) return undefined
  const input = sensitive === undefined ? fields : { ...fields, isSensitive: sensitive }
  const use = { id: randomUUID(), name: `computer_${action}`, type: "tool_use", input } as const
  return { type: "user_action", content: image === undefined ? [use] : [pngImage(image), use] }
}

/**
 * Stores what a person does on the desktop, until the scope closes. `heldTask` says for which task, at the moment in which an input arrives:
 * what waits for the database stays with the task for which it was done.
 */
export const makeInputCapture = Effect.fnUntraced(function* (
  desktop: Desktop,
  heldTask: Effect.Effect<TaskId | undefined>
) {
  const conversations = yield* Conversations
  const arrived = yield* Queue.sliding<{
    readonly taskId: TaskId
    readonly input: UserInput
    readonly at: DateTime.Utc
  }>(inputCapacity)
  const listener = yield* FiberHandle.make<never, never>()
  const oneChange = yield* Semaphore.make(1)

  const problem = yield* Ref.make<string | undefined>(undefined)

  /** A daemon that fails never fails a request of a person's. It is asked again and again: what it says is logged when it changes. */
  const isNotTracked = ({ message }: DesktopFailed) =>
    Effect.flatMap(Ref.getAndSet(problem, message), (before) =>
      message === before ? Effect.void : Effect.logWarning("Input tracking did not change", message)
    )
  const tracked = (change: Effect.Effect<void, DesktopFailed>) =>
    Effect.tapError(Effect.andThen(change, Ref.set(problem, undefined)), isNotTracked)

  /** Has the daemon report input each time that this is asked for. */
  const track = (wanted: Queue.Dequeue<void>) =>
    Queue.take(wanted).pipe(
      Effect.andThen(tracked(desktop.startTracking).pipe(Effect.retry(Schedule.spaced(trackingPause)))),
      Effect.ignore,
      Effect.forever
    )

  const take = (inputs: Queue.Dequeue<UserInput>) =>
    Effect.gen(function* () {
      const input = yield* Queue.take(inputs)
      const taskId = yield* heldTask
      if (taskId !== undefined) yield* Queue.offer(arrived, { taskId, input, at: yield* DateTime.now })
    }).pipe(Effect.forever)

  const wanted = yield* Queue.sliding<void>(1)
  const listen = Effect.scoped(
    Effect.flatMap(desktop.userInput, ({ inputs, reconnects }) =>
      Effect.raceAllFirst([take(inputs), track(wanted), track(reconnects)])
    )
  )

  const store = Effect.gen(function* () {
    const { at, input, taskId } = yield* Queue.take(arrived)
    const block = userAction(input)
    if (block === undefined) return
    yield* retryUntilAvailable(conversations.appendUserAction(taskId, block, at)).pipe(
      Effect.catchCause((cause) => Effect.logWarning("An action of the user was not stored", cause)),
      Effect.annotateLogs({ taskId })
    )
  })
  yield* Effect.forkScoped(Effect.forever(store))

  const start = Effect.gen(function* () {
    if ((yield* heldTask) === undefined) return
    yield* FiberHandle.run(listener, listen, { onlyIfMissing: true })
    yield* Queue.offer(wanted, undefined)
  })

  const stop = Effect.gen(function* () {
    if ((yield* heldTask) !== undefined) return
    yield* FiberHandle.clear(listener)
    yield* Queue.clear(wanted)
    yield* Effect.ignore(tracked(desktop.stopTracking))
  })

  return {
    /** Listens to the daemon and has it report input, unless no task is held by now. Also for a daemon that was started again. */
    start: oneChange.withPermits(1)(start),
    /** The opposite, unless a task is held by now. */
    stop: oneChange.withPermits(1)(stop)
  }
})
