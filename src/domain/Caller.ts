import { Context } from "effect"

/** On whose behalf something is done. */
export interface CallerIdentity {
  /** Null: the service itself, and everybody while accounts are off. */
  readonly userId: string | null
  /** Whether other people's tasks, and those of nobody, are there for the caller. */
  readonly seesAll: boolean
  /** The session or key that the caller came with; what it was let in for ends with it. */
  readonly login: { readonly id: string; readonly kind: "session" | "key" } | null
}

/** Whoever asks: services show and change only what is the caller's. Transports provide it, once they know who it is. */
export class Caller extends Context.Service<Caller, CallerIdentity>()("bytebot/Caller") {}

/** The service itself, and everybody while accounts are off. */
export const everybody: CallerIdentity = { userId: null, seesAll: true, login: null }
