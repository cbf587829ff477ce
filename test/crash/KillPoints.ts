/** Where a run is broken off: at its n-th step, before that takes place or after it, but before the service hears of it. */
export interface KillPoint {
  readonly step: number
  readonly when: "before" | "after"
}

/** Counts what the service does to the outside, and kills it at one of these steps. */
export class KillPoints {
  private names: Array<string> = []
  private plan: KillPoint | undefined
  private kill: () => void = () => undefined
  private isArmed = false
  private isDone = false

  /** From now on steps count; `kill` is called at the planned one, if any. */
  arm(plan: KillPoint | undefined, kill: () => void): void {
    this.names = []
    this.plan = plan
    this.kill = kill
    this.isArmed = true
    this.isDone = false
  }

  /** Steps count no more; the names of those that there were. */
  disarm(): ReadonlyArray<string> {
    this.isArmed = false
    return this.names
  }

  get hasKilled(): boolean {
    return this.isDone
  }

  /** The name of the step at which the service was killed. */
  get place(): string | undefined {
    return this.isDone ? this.names.at(-1) : undefined
  }

  /** Tells of the next step, and hears whether the service dies at it, and when. */
  reach(name: string): KillPoint["when"] | undefined {
    if (!this.isArmed || this.isDone) return undefined
    this.names.push(name)
    return this.plan?.step === this.names.length - 1 ? this.plan.when : undefined
  }

  /** The service dies, now. */
  strike(): void {
    if (this.isDone) return
    this.isDone = true
    this.kill()
  }
}
