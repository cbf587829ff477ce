import { Effect } from "effect"
import { Settings } from "../config/Settings.ts"
import { Desktops } from "../desktop/Desktops.ts"
import type { Claim } from "../tasks/Claims.ts"
import { TaskRuns } from "../tasks/TaskRuns.ts"
import type { Handover } from "./Handover.ts"

export type Checkpoint = Effect.Success<typeof makeCheckpoint>

/** A place where a run can stop, and where it waits for a desktop that does not answer. */
export const makeCheckpoint = Effect.gen(function* () {
  const { desktops: configured } = yield* Settings
  const desktops = yield* Desktops
  const runs = yield* TaskRuns

  /** Waits while the desktop does not answer; the task's row says so. */
  const untilThere = Effect.fn("AgentLoop.untilThere")(function* ({ lease }: Claim, handover: Handover) {
    const { contact } = desktops.at(lease.desktop)
    yield* handover.waits
    yield* contact.until("Answering", "Lost")
    if (contact.state._tag !== "Lost") return
    const name = configured.find(({ url }) => url === lease.desktop)?.name ?? "it"
    yield* Effect.logWarning("The desktop does not answer, the task waits").pipe(Effect.annotateLogs({ desktop: name }))
    yield* runs.showProblem(lease, `Waiting for the desktop: ${name} does not answer`)
    yield* contact.until("Answering")
    yield* runs.showProblem(lease, null)
  })

  return (claim: Claim, handover: Handover) =>
    Effect.suspend(() => {
      const state = desktops.at(claim.lease.desktop).contact.state._tag
      const isThere = state === "Answering" || state === "Unknown"
      return isThere
        ? handover.boundary
        : Effect.andThen(Effect.ensuring(untilThere(claim, handover), handover.waitsNoMore), handover.boundary)
    })
})
