import { Option } from "effect"
import type { AnsweredCall, Conversation, Entry } from "../../domain/Conversation.ts"
import { follow, noProgress } from "../Progress.ts"
import { nothingShown, thinOut } from "../Screenshots.ts"
import type { RunState } from "./RunState.ts"

/** The run with the conversation as it is stored. */
export const loaded = (state: RunState, conversation: Conversation): RunState => {
  const { memory } = state
  const empty = { ...memory, conversation: { ...conversation, entries: [] }, shown: nothingShown, progress: noProgress }
  return remember({ ...state, memory: empty }, conversation.entries)
}

/** Adds what was stored to what the model is shown; old pictures of the screen are left out, and not kept in memory. */
export const remember = (state: RunState, added: ReadonlyArray<Entry>): RunState => {
  const { conversation, progress, seen, shown } = state.memory
  const thinned = thinOut([...conversation.entries, ...added], shown, state.facts.limits.screenshots)
  return {
    ...state,
    memory: {
      ...state.memory,
      conversation: { ...conversation, entries: thinned.entries },
      shown: thinned.shown,
      progress: follow(progress, added),
      seen: added.at(-1)?.position ?? seen
    }
  }
}

/** Counts what a call of a model took. */
export const spend = (state: RunState, { cost, tokens }: AnsweredCall): RunState => {
  const { spent } = state.memory
  const now = { ...spent, tokens: spent.tokens + tokens.input + tokens.output, cost: spent.cost + (cost ?? 0) }
  return { ...state, memory: { ...state.memory, spent: now } }
}

/** Counts a reply, also one that says nothing. */
export const count = (state: RunState): RunState => {
  const { spent } = state.memory
  return { ...state, memory: { ...state.memory, spent: { ...spent, replies: spent.replies + 1 } } }
}

/** The run with `left` behind a summary, instead of the whole conversation. */
export const summarised = (
  state: RunState,
  summary: { readonly id: string; readonly content: string },
  left: ReadonlyArray<Entry>
): RunState => ({
  ...state,
  memory: {
    ...state.memory,
    conversation: { summary: Option.some(summary), entries: left },
    shown: nothingShown
  }
})
