import { Data } from "effect"
import type { Claim } from "../../tasks/Claims.ts"
import type { DesktopFacts, Hold } from "../../tasks/DesktopHolds.ts"
import type { Lease } from "../../tasks/Lease.ts"

/** A claimed task whose run goes on. */
export type Work = Pick<Claim, "lease" | "isBound">

/**
 * What the worker of a desktop does. The tag says what a due task can expect: only Idle and Held claim one. A task may run while a person
 * holds the desktop for another one that waits, so `claim` and `held` exist side by side.
 */
export type WorkerState = Data.TaggedEnum<{
  Idle: Record<never, never>
  Running: { readonly claim: Work; readonly held: Hold | undefined }
  Held: { readonly held: Hold }
  /** The desktop does not answer, `since` (UTC, ms); undefined: it was not asked yet. One that `isLost` has missed several requests in a row. */
  Unreachable: {
    readonly since: number | undefined
    readonly isLost: boolean
    readonly claim: Work | undefined
    readonly held: Hold | undefined
  }
  /** The service stops. What runs may end its step; nothing is claimed any more. */
  Leaving: { readonly claim: Work | undefined; readonly held: Hold | undefined }
}>

/** What happened. */
export type WorkerEvent = Data.TaggedEnum<{
  /** A task may be due. */
  Woken: Record<never, never>
  /** The reconciler asks whether all is as the database says. */
  Checked: Record<never, never>
  Claimed: { readonly claim: Work }
  RunEnded: Record<never, never>
  /** The database was asked about the desktop, and about the lease of the run that went on then. */
  Looked: { readonly facts: Omit<DesktopFacts, "toBeTold">; readonly lease: Lease | undefined }
  Answered: Record<never, never>
  NotAnswered: { readonly since: number; readonly isLost: boolean }
  /** The desktop has not answered for so long that its task may go to another one. */
  GivenUp: Record<never, never>
  Stopping: Record<never, never>
}>

/** What to do next, in this order. */
export type WorkerAction = Data.TaggedEnum<{
  /** Claim the next due task and run it. */
  Claim: Record<never, never>
  /** Keep the wake-up for the worker that comes after this one. */
  Park: Record<never, never>
  /** Break the run off and wait until its action under way has ended. */
  StopRun: { readonly claim: Work }
  /** Ask the database what applies to this desktop now. */
  Look: Record<never, never>
  /** Capture the person's input for the task that holds the desktop. */
  Capture: Record<never, never>
  EndCapture: Record<never, never>
  /** The daemon may have been restarted: have it report input again. */
  TrackAgain: Record<never, never>
  /** A task may be due for this desktop. */
  Wake: Record<never, never>
  /** Another desktop may be idle while tasks wait. */
  WakeOthers: Record<never, never>
  /** Let other desktops have the tasks of this one. */
  LeaveTasks: Record<never, never>
}>

export const WorkerState = Data.taggedEnum<WorkerState>()
export const WorkerEvent = Data.taggedEnum<WorkerEvent>()
export const WorkerAction = Data.taggedEnum<WorkerAction>()

type Step = readonly [WorkerState, ReadonlyArray<WorkerAction>]

/** The desktop was not asked yet, and neither was the database. */
export const initialState: WorkerState = WorkerState.Unreachable({
  since: undefined,
  isLost: false,
  claim: undefined,
  held: undefined
})

/** The claim whose run goes on. */
export const claimOf = (state: WorkerState): Work | undefined => ("claim" in state ? state.claim : undefined)

/** The hold whose task gets what a person does on the desktop. */
export const heldOf = (state: WorkerState): Hold | undefined => ("held" in state ? state.held : undefined)

const atWork = (claim: Work | undefined, held: Hold | undefined): WorkerState => {
  if (claim !== undefined) return WorkerState.Running({ claim, held })
  return held === undefined ? WorkerState.Idle() : WorkerState.Held({ held })
}

/** The same state with another claim and hold. */
const having = (state: WorkerState, claim: Work | undefined, held: Hold | undefined): WorkerState =>
  state._tag === "Unreachable" || state._tag === "Leaving" ? { ...state, claim, held } : atWork(claim, held)

const isSameHold = (one: Hold | undefined, other: Hold | undefined): boolean =>
  one?.taskId === other?.taskId && one?.userId === other?.userId

const woken = (state: WorkerState): Step => {
  switch (state._tag) {
    case "Idle":
    case "Held":
      return [state, [WorkerAction.Claim()]]
    case "Leaving":
      return [state, [WorkerAction.Park()]]
    case "Running":
    case "Unreachable":
      return [state, []]
  }
}

/**
 * A run that has lost its task is given up. It ends before anything else is done: what its last action causes must not be taken for a
 * person's input.
 */
const looked = (state: WorkerState, { facts, lease }: WorkerEvent & { readonly _tag: "Looked" }): Step => {
  const claim = claimOf(state)
  if (claim !== undefined && claim.lease === lease && !facts.isOwned) {
    return [having(state, undefined, heldOf(state)), [WorkerAction.StopRun({ claim }), WorkerAction.Look()]]
  }
  const before = heldOf(state)
  const next = having(state, claim, facts.held)
  if (facts.held !== undefined) return [next, isSameHold(before, facts.held) ? [] : [WorkerAction.Capture()]]
  return [next, before !== undefined || facts.isHandedBack ? [WorkerAction.EndCapture()] : []]
}

const answered = (state: WorkerState): Step => {
  if (state._tag !== "Unreachable") return [state, []]
  const again = state.held === undefined ? [] : [WorkerAction.TrackAgain()]
  const wake = state.claim === undefined ? [WorkerAction.Wake()] : []
  return [atWork(state.claim, state.held), [...again, WorkerAction.Look(), ...wake]]
}

const notAnswered = (state: WorkerState, { isLost, since }: WorkerEvent & { readonly _tag: "NotAnswered" }): Step => {
  if (state._tag === "Leaving") return [state, []]
  const wasLost = state._tag === "Unreachable" && state.isLost
  const next = WorkerState.Unreachable({ since, isLost, claim: claimOf(state), held: heldOf(state) })
  return [next, isLost && !wasLost ? [WorkerAction.WakeOthers()] : []]
}

const givenUp = (state: WorkerState): Step => {
  if (state._tag !== "Unreachable") return [state, []]
  const { claim } = state
  const stop = claim === undefined || claim.isBound ? [] : [WorkerAction.StopRun({ claim })]
  return [state, [...stop, WorkerAction.LeaveTasks()]]
}

/** An exclusive hold keeps every task from being claimed: waking would be in vain. */
const mayClaim = (state: WorkerState): boolean =>
  state._tag === "Idle" || (state._tag === "Held" && !state.held.isExclusive)

/** The transitions of a worker. What an event does not concern leaves the state as it is. */
export const transition = (state: WorkerState, event: WorkerEvent): Step => {
  switch (event._tag) {
    case "Woken":
      return woken(state)
    case "Checked":
      return [state, mayClaim(state) ? [WorkerAction.Wake()] : []]
    case "Claimed":
      return [having(state, event.claim, heldOf(state)), [WorkerAction.WakeOthers()]]
    case "RunEnded":
      return [having(state, undefined, heldOf(state)), [WorkerAction.Look()]]
    case "Looked":
      return looked(state, event)
    case "Answered":
      return answered(state)
    case "NotAnswered":
      return notAnswered(state, event)
    case "GivenUp":
      return givenUp(state)
    case "Stopping":
      return [WorkerState.Leaving({ claim: claimOf(state), held: heldOf(state) }), []]
  }
}
