/** What may happen to a replica in the middle of its work. */
export type Kind =
  /** SIGKILL. */
  | "kill"
  /** SIGTERM: it hands its task over. */
  | "stop"
  /** SIGSTOP, and SIGCONT when its task has moved on. */
  | "freeze"
  /** Nothing passes between it and PostgreSQL for a while, and nobody is told. */
  | "cut"
  /** PostgreSQL ends all connections of all replicas. */
  | "disconnect"
  /** PostgreSQL is shut down, and started again. */
  | "restart"
  /** PostgreSQL ends without having stored what it holds in memory, and recovers. */
  | "crash"

/** Where and how a run is disturbed: at its n-th step, before that takes place or after it, but before the service hears of it. */
export interface Disturbance {
  readonly kind: Kind
  readonly step: number
  readonly when: "before" | "after"
  /** A replica that was frozen or cut off comes back as soon as another one has its task, and not only when all is over. */
  readonly returnsSoon: boolean
}

/** Counts what the replicas do to the outside, and disturbs one of them at one of these steps. */
export class Disturbances {
  private names: Array<string> = []
  private plan: Disturbance | undefined
  private strikeNow: (actor: number) => void = () => undefined
  private isArmed = false
  /** Who is disturbed, from the planned step on. */
  private aim: number | undefined
  /** The same, once it has happened. */
  private struck: number | undefined
  private worker = 0

  /** From now on steps count; `strike` is called at the planned one, if any, with the number of the replica. */
  arm(plan: Disturbance | undefined, strike: (actor: number) => void): void {
    this.names = []
    this.plan = plan
    this.strikeNow = strike
    this.isArmed = true
    this.aim = undefined
    this.struck = undefined
  }

  /** Steps count no more; the names of those that there were. */
  disarm(): ReadonlyArray<string> {
    this.isArmed = false
    return this.names
  }

  /** The number of the replica that was disturbed. */
  get victim(): number | undefined {
    return this.struck
  }

  /** The process dies at this step: a request of its is never answered. */
  get isDeadly(): boolean {
    return this.plan?.kind === "kill"
  }

  /** The statement of this step is lost, or its answer is. */
  get losesStatements(): boolean {
    return this.plan?.kind === "kill" || this.plan?.kind === "cut"
  }

  /** The task is run by the replica with this number. */
  worksAt(actor: number): void {
    this.worker = actor
  }

  /** Tells of the next step, and hears when the replica is disturbed at it. `actor`: its number; otherwise it is who runs the task. */
  reach(name: string, actor = this.worker): Disturbance["when"] | undefined {
    if (!this.isArmed || this.aim !== undefined) return undefined
    this.names.push(name)
    if (this.plan?.step !== this.names.length - 1) return undefined
    this.aim = actor
    return this.plan.when
  }

  /** Disturbs the replica, now. */
  strike(): void {
    if (this.struck !== undefined || this.aim === undefined) return
    this.struck = this.aim
    this.strikeNow(this.aim)
  }
}
