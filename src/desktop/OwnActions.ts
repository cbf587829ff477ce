import { Duration, Effect } from "effect"
import type { ActionName } from "./DesktopAction.ts"

/** Actions of ours during which the daemon reports nothing of its own (docs/contract/desktop.md, "Input tracking"). */
const unreported: ReadonlySet<ActionName> = new Set(["wait", "application"])

/**
 * When what a desktop's daemon reports may be our own doing: it reports its own actions like a person's, some only when a pause has
 * ended what belongs together. So from the beginning of an action until the screen has settled after it.
 */
export class OwnActions {
  private readonly settleTime: number
  private open = 0
  private settledAt = 0

  constructor(settleDelay: Duration.Duration) {
    this.settleTime = Duration.toMillis(settleDelay)
  }

  /** An action of ours on the desktop. */
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

  /** Whether what is reported now may be ours. */
  get mayBeReported(): boolean {
    return this.open > 0 || performance.now() < this.settledAt
  }
}
