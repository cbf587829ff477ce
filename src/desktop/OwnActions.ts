import { Duration, Effect } from "effect"
import type { ActionName } from "./DesktopAction.ts"

/** Actions that the daemon does not report as input (docs/contract/desktop.md, "Input tracking"). */
const unreported: ReadonlySet<ActionName> = new Set(["wait", "application"])

/**
 * When a desktop's reports may be of the agent's own actions, which the daemon reports like a user's, some only after a pause: from the
 * beginning of an action until the screen has settled after it.
 */
export class OwnActions {
  private readonly settleTime: number
  private open = 0
  private settledAt = 0

  constructor(settleDelay: Duration.Duration) {
    this.settleTime = Duration.toMillis(settleDelay)
  }

  /** Runs an action of the agent. */
  during<A, E, R>(action: ActionName, request: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> {
    if (unreported.has(action)) return request
    return Effect.suspend(() => {
      this.open++
      return Effect.ensuring(
        request,
        Effect.sync(() => {
          this.open--
          this.settledAt = performance.now() + this.settleTime
        })
      )
    })
  }

  /** Whether a report may be of the agent's action now. */
  get mayBeReported(): boolean {
    return this.open > 0 || performance.now() < this.settledAt
  }
}
