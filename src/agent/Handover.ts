import { Data, Effect } from "effect"

/** The run has stopped where another worker goes on: nothing is under way, and everything is in the database. */
export class HandedOver extends Data.TaggedError("HandedOver") {}

/**
 * Asks a run to leave its task to another worker, because this process stops or the desktop goes to another replica. Other than an
 * interruption it lets the model's call under way end, which would have to be paid again.
 */
export class Handover {
  private askedAt: number | undefined
  private isWaiting = false

  /** The run is to stop at its next boundary: before a call of the model, or before a tool. Since when (ms) it is. */
  ask(now: number): number {
    this.askedAt ??= now
    return this.askedAt
  }

  /** The run only waits for a model that does not answer: there is nothing to lose by breaking it off. */
  get mayBreakOff(): boolean {
    return this.isWaiting
  }

  /** A place where the run can stop. */
  readonly boundary: Effect.Effect<void, HandedOver> = Effect.suspend(() =>
    this.askedAt !== undefined ? Effect.fail(new HandedOver()) : Effect.void
  )

  /** The run begins to wait; one that has been asked to stop does not. */
  readonly waits: Effect.Effect<void, HandedOver> = Effect.suspend(() => {
    this.isWaiting = true
    return this.boundary
  })

  readonly waitsNoMore: Effect.Effect<void> = Effect.sync(() => {
    this.isWaiting = false
  })
}
