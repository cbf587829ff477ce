import { Context } from "effect"

/** On whose behalf something is done. */
export interface CallerIdentity {
  /** Null: the service itself, and every client while accounts are off. */
  readonly userId: string | null
  /** Whether tasks of other users, and tasks without an owner, are visible to the caller. */
  readonly seesAll: boolean
  /** The session or key that the caller came with; what it was let in for ends with it. */
  readonly login: { readonly id: string; readonly kind: "session" | "key" } | null
}

/** The caller of a service, which shows and changes only what is the caller's. Transports provide it after authentication. */
export class Caller extends Context.Service<Caller, CallerIdentity>()("bytebot/Caller") {}

/** The service itself, and every client while accounts are off. */
export const everybody: CallerIdentity = { userId: null, seesAll: true, login: null }
