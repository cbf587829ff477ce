import type { Command } from "./Command.ts"
import type { Phase, RunState } from "./RunState.ts"

/** A state, and the command whose observation it waits for. */
export type Step = readonly [state: RunState, command: Command]

export const to = (state: Omit<RunState, "phase">, phase: Phase, command: Command): Step => [
  { ...state, phase },
  command
]
