import { Option } from "effect"
import { type Conversation, openReply } from "../../domain/Conversation.ts"
import { loaded } from "./memory.ts"
import type { RunState } from "./RunState.ts"
import { type Step, to } from "./Step.ts"

/** What an earlier run has left open is done first; then the desktop gets the task's files, where it does not have them yet. */
export const afterLoad = (before: RunState, conversation: Conversation, isSettled: boolean): Step => {
  const open = openReply(conversation.entries)
  if (Option.isSome(open) && !isSettled) {
    return to(before, { _tag: "Recalling", reply: open.value }, { _tag: "Recall", reply: open.value })
  }
  const state = loaded(before, conversation)
  const isFresh = Option.isNone(conversation.summary) && !conversation.entries.some(({ role }) => role === "ASSISTANT")
  return isFresh || state.facts.hasMoved
    ? to(state, { _tag: "WritingFiles", isFresh }, { _tag: "WriteFiles" })
    : count(state)
}

export const afterFiles = (state: RunState, isFresh: boolean, isTold: boolean): Step => {
  if (state.facts.hasMoved) return to(state, { _tag: "Arriving" }, { _tag: "Arrive", isTold: !isFresh })
  return isTold ? reload(state) : count(state)
}

export const reload = (state: RunState): Step => to(state, { _tag: "Reloading" }, { _tag: "Load" })

export const afterReload = (state: RunState, conversation: Conversation): Step => count(loaded(state, conversation))

const count = (state: RunState): Step => to(state, { _tag: "Counting" }, { _tag: "CountSpent" })
