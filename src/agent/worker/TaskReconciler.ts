import { Effect, Schedule } from "effect"
import { Singleton } from "effect/cluster"
import { untraced } from "../../observability/TraceParent.ts"
import { Placement } from "../../placement/Placement.ts"
import { DesktopStates } from "../../tasks/DesktopStates.ts"
import { TaskRuns } from "../../tasks/TaskRuns.ts"

/** How often due tasks are looked for without a message: the original's interval (docs/contract/agent.md, "Pick"). */
const checkInterval = "5 seconds"

/** Marks scheduled tasks that are due, wakes idle workers and those that are gone, once in the cluster. */
export const layer = Singleton.make(
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
