/** A model that may be asked; without a name, the provider's default. */
export interface Candidate {
  readonly provider: string
  readonly name?: string | undefined
}

/** How long a model that was given up is left alone before it gets another try. */
const leftAloneFor = 60_000

interface Outage {
  readonly since: number
  readonly lastTry: number
}

/**
 * Which of several models to ask: the first that was not given up. All tasks share what is known of a model, so that each of them
 * need not find out by itself. Instants are milliseconds since the epoch.
 */
export class ModelRoute {
  private readonly outages = new Map<string, Outage>()

  private readonly givenUpAfter: number

  /** `givenUpAfter`: milliseconds of failures after which a model gives way to the next. */
  constructor(givenUpAfter: number) {
    this.givenUpAfter = givenUpAfter
  }

  /** The first model that answers or has not failed for long; if there is none, the first one: it was asked for. */
  choose(candidates: ReadonlyArray<Candidate>, now: number): Candidate | undefined {
    return candidates.find((candidate) => !this.isGivenUp(candidate, now)) ?? candidates[0]
  }

  failed(candidate: Candidate, now: number): void {
    const since = this.outages.get(keyOf(candidate))?.since ?? now
    this.outages.set(keyOf(candidate), { since, lastTry: now })
  }

  succeeded(candidate: Candidate): void {
    this.outages.delete(keyOf(candidate))
  }

  private isGivenUp(candidate: Candidate, now: number): boolean {
    const outage = this.outages.get(keyOf(candidate))
    return outage !== undefined && now - outage.since >= this.givenUpAfter && now - outage.lastTry < leftAloneFor
  }
}

/** Tells models apart. */
export const keyOf = ({ name, provider }: Candidate): string => `${provider}/${name ?? ""}`

/** Answers of one wrong shape in a row after which asking again is in vain. */
const shapesAllowed = 3

/** Tells an endpoint that answers something else for good from one that stumbles: during one wait for a reply. */
export class WrongShapes {
  private candidate: Candidate | undefined
  private shape: string | undefined
  private times = 0

  /** Whether the failure is one time too many the same answer of a wrong shape in a row. */
  isFinal(candidate: Candidate, { shape }: { readonly shape?: string }): boolean {
    this.times = shape !== undefined && shape === this.shape && candidate === this.candidate ? this.times + 1 : 1
    this.candidate = candidate
    this.shape = shape
    return shape !== undefined && this.times >= shapesAllowed
  }
}
