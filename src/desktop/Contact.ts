import { Clock, Duration, Effect, Latch } from "effect"

/** Requests in a row without any answer after which a desktop counts as lost. */
const lostAt = 3

/** Pause before the next probe of a desktop that did not answer; it doubles each time. */
const firstPause = Duration.millis(250)
const longestPause = Duration.seconds(5)

/** `since` is when the desktop first did not answer, in milliseconds since 1970. */
export type ContactState =
  | { readonly _tag: "Unknown" }
  | { readonly _tag: "Answering" }
  | { readonly _tag: "Doubtful" | "Lost"; readonly failures: number; readonly since: number }

/** Whether a desktop answers, noted by the client of its daemon with each request. A refusal counts as an answer. */
export class Contact {
  private current: ContactState = { _tag: "Unknown" }
  private readonly latches = {
    Unknown: Latch.makeUnsafe(true),
    Answering: Latch.makeUnsafe(false),
    Doubtful: Latch.makeUnsafe(false),
    Lost: Latch.makeUnsafe(false)
  }
  private open = 0
  private seen = 0

  get state(): ContactState {
    return this.current
  }

  /** When it last answered, in milliseconds since 1970; 0: never yet. */
  get seenAt(): number {
    return this.seen
  }

  /** Requests are under way, whose outcome makes a probe needless. */
  get isBusy(): boolean {
    return this.open > 0
  }

  /** Milliseconds until the next probe. */
  get pause(): number {
    const { state } = this
    const doublings = "failures" in state ? state.failures - 1 : 0
    return Math.min(Duration.toMillis(longestPause), Duration.toMillis(firstPause) * 2 ** doublings)
  }

  /** A request under way. */
  readonly during = <A, E, R>(request: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.suspend(() => {
      this.open++
      return Effect.ensuring(
        request,
        Effect.sync(() => {
          this.open--
        })
      )
    })

  /** The desktop has answered. */
  readonly answered: Effect.Effect<void> = Effect.map(Clock.currentTimeMillis, (now) => {
    this.seen = now
    if (this.current._tag !== "Answering") this.become({ _tag: "Answering" })
  })

  /** The desktop could not be reached, or has not answered. */
  readonly failed: Effect.Effect<void> = Effect.map(Clock.currentTimeMillis, (now) => {
    const { current } = this
    const failures = "failures" in current ? current.failures + 1 : 1
    const since = "since" in current ? current.since : now
    this.become({ _tag: failures < lostAt ? "Doubtful" : "Lost", failures, since })
  })

  /** Waits for one of the states. */
  readonly until = (...tags: ReadonlyArray<ContactState["_tag"]>): Effect.Effect<void> =>
    Effect.raceAllFirst(tags.map((tag) => this.latches[tag].await))

  private become(next: ContactState): void {
    this.latches[this.current._tag].closeUnsafe()
    this.current = next
    this.latches[next._tag].openUnsafe()
  }
}
