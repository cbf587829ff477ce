import { Option } from "effect"
import type { Conversation, Entry } from "../../domain/Conversation.ts"
import type { Outcome } from "../../tasks/TaskRuns.ts"
import type { Spent } from "../../tasks/Usage.ts"
import { noProgress, type Progress } from "../Progress.ts"
import { nothingShown, type Shown } from "../Screenshots.ts"
import type { ToolOutcome } from "../ToolRunner.ts"
import type { Split } from "./Shortening.ts"

/** What a task may use before it asks for help. */
export interface Limits {
  readonly iterations: number
  readonly tokens: number | undefined
  /** US dollars. */
  readonly cost: number | undefined
  /** Milliseconds. */
  readonly waiting: number
  /** Newest pictures of the screen that the model is always shown. */
  readonly screenshots: number
}

/** What is known of a run before it begins, and stays so. */
export interface Facts {
  readonly limits: Limits
  /** The task had to leave another desktop, and the model does not know yet. */
  readonly hasMoved: boolean
}

/** What a run remembers between its iterations. */
export interface Memory {
  readonly conversation: Conversation
  readonly shown: Shown
  readonly progress: Progress
  /** Position of the newest message that the run knows of. */
  readonly seen: bigint
  readonly spent: Spent
}

/** The tools of a reply; `answers` are in the order of the tools, undefined where one is still to be carried out. */
export interface Batch {
  readonly reply: Entry
  readonly answers: ReadonlyArray<ToolOutcome | undefined>
  /** An earlier run has left the batch open: the run has not begun its iterations. */
  readonly isLeft: boolean
}

/** What the run waits for. */
export type Phase =
  /** `isSettled`: what an earlier run has left open is done. */
  | { readonly _tag: "Loading"; readonly isSettled: boolean }
  | { readonly _tag: "Recalling"; readonly reply: Entry }
  /** `isFresh`: the model has not said anything yet. */
  | { readonly _tag: "WritingFiles"; readonly isFresh: boolean }
  | { readonly _tag: "Arriving" }
  | { readonly _tag: "Reloading" }
  | { readonly _tag: "Counting" }
  | { readonly _tag: "Between" }
  | { readonly _tag: "Nudging" }
  | { readonly _tag: "Asking"; readonly empties: number; readonly isShortened: boolean }
  | { readonly _tag: "Shortening"; readonly empties: number; readonly split: Split }
  | { readonly _tag: "StoringReply"; readonly isCrowded: boolean }
  | { readonly _tag: "Summarising"; readonly reply: Entry }
  | { readonly _tag: "Acting"; readonly batch: Batch; readonly index: number }
  | { readonly _tag: "StoringResults"; readonly batch: Batch; readonly end: Outcome | undefined }
  | { readonly _tag: "Reading"; readonly own: ReadonlyArray<Entry> }
  | { readonly _tag: "Finishing" }
  | { readonly _tag: "Ended" }

export interface RunState {
  readonly facts: Facts
  readonly memory: Memory
  readonly phase: Phase
}

export const emptyMemory: Memory = {
  conversation: { summary: Option.none(), entries: [] },
  shown: nothingShown,
  progress: noProgress,
  seen: 0n,
  spent: { replies: 0, tokens: 0, cost: 0 }
}
