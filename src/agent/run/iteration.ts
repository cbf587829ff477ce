import { Option } from "effect"
import { type Entry, toolUses } from "../../domain/Conversation.ts"
import type { Outcome } from "../../tasks/TaskRuns.ts"
import { judge } from "../Progress.ts"
import { act } from "./batch.ts"
import { count, remember, spend, summarised } from "./memory.ts"
import type { Observation } from "./Observation.ts"
import type { Phase, RunState } from "./RunState.ts"
import { shorter, whole } from "./Shortening.ts"
import { type Step, to } from "./Step.ts"

/** Empty answers in a row after which the task fails: real providers give one once in a while. */
const emptiesAllowed = 3

export const between = (state: RunState): Step => to(state, { _tag: "Between" }, { _tag: "NextIteration" })

export const finish = (state: RunState, outcome: Outcome): Step =>
  to(state, { _tag: "Finishing" }, { _tag: "Finish", outcome })

/** `error` is shown to people: a line or two of it. */
const fail = (state: RunState, message: string): Step =>
  finish(state, { status: "FAILED", error: message.length > 500 ? `${message.slice(0, 499)}…` : message })

/** What the rules for stuck and costly tasks ask for, else the next call of the model. */
export const afterReady = (state: RunState): Step => {
  const verdict = judge(state.memory.progress, state.facts.limits.waiting)
  const reason = exhausted(state) ?? (verdict._tag === "AskForHelp" ? verdict.reason : undefined)
  if (reason !== undefined) return finish(state, { status: "NEEDS_HELP", error: reason })
  return verdict._tag === "Nudge"
    ? to(state, { _tag: "Nudging" }, { _tag: "Nudge", text: verdict.nudge })
    : ask(state, 0, false)
}

const exhausted = ({ facts: { limits }, memory: { spent } }: RunState): string | undefined => {
  if (spent.replies >= limits.iterations) return `The task used all of its ${limits.iterations} iterations`
  if (limits.tokens !== undefined && spent.tokens >= limits.tokens) {
    return `The task used up its budget of ${limits.tokens} tokens`
  }
  if (limits.cost !== undefined && spent.cost >= limits.cost) {
    return `The task used up its budget of ${limits.cost} US dollars`
  }
  return undefined
}

const ask = (state: RunState, empties: number, isShortened: boolean): Step =>
  to(state, { _tag: "Asking", empties, isShortened }, { _tag: "AskModel", conversation: state.memory.conversation })

export const afterNudge = (state: RunState, entry: Entry): Step => ask(remember(state, [entry]), 0, false)

type Asking = Extract<Phase, { readonly _tag: "Asking" }>

export const afterReply = (before: RunState, asking: Asking, seen: Observation): Step | undefined => {
  switch (seen._tag) {
    case "Replied": {
      const { call, content, isCrowded } = seen
      const state = count(spend(before, call))
      return content.length === 0
        ? afterEmpty(state, asking)
        : to(state, { _tag: "StoringReply", isCrowded }, { _tag: "StoreReply", content, call })
    }
    case "TooLong":
      return afterTooLong(before, asking, seen.message)
    case "ModelFailed":
      return fail(before, seen.message)
    default:
      return undefined
  }
}

const afterEmpty = (state: RunState, { empties, isShortened }: Asking): Step =>
  empties + 1 < emptiesAllowed
    ? ask(state, empties + 1, isShortened)
    : fail(state, `The model's answer was empty ${emptiesAllowed} times in a row`)

/** A context that is too long is made shorter, once. */
const afterTooLong = (state: RunState, { empties, isShortened }: Asking, message: string): Step => {
  const split = isShortened ? Option.none() : shorter(state.memory.conversation)
  return Option.isNone(split)
    ? fail(state, message)
    : to(
        state,
        { _tag: "Shortening", empties, split: split.value },
        { _tag: "Summarise", split: split.value, isForced: true }
      )
}

export const afterStoredReply = (state: RunState, isCrowded: boolean, reply: Entry): Step => {
  const split = isCrowded ? whole(state.memory.conversation) : Option.none()
  return Option.isNone(split)
    ? work(state, reply)
    : to(state, { _tag: "Summarising", reply }, { _tag: "Summarise", split: split.value, isForced: false })
}

/** A summary that fails leaves everything as it is, unless there was no going on without it. */
export const afterSummary = (
  state: RunState,
  phase: Extract<Phase, { readonly _tag: "Shortening" | "Summarising" }>,
  seen: Observation
): Step | undefined => {
  if (seen._tag === "SummaryFailed") {
    return phase._tag === "Shortening" ? fail(state, seen.message) : work(state, phase.reply)
  }
  if (seen._tag !== "Summarised") return undefined
  const { call, summary } = seen
  return phase._tag === "Shortening"
    ? ask(summarised(spend(state, call), summary, phase.split.left), phase.empties, true)
    : work(summarised(spend(state, call), summary, []), phase.reply)
}

/** Carries out the tools of a reply, if there are any. */
const work = (state: RunState, reply: Entry): Step => {
  const uses = toolUses(reply.content)
  return uses.length === 0
    ? read(state, [reply])
    : act(state, { reply, answers: uses.map(() => undefined), isLeft: false })
}

export const read = (state: RunState, own: ReadonlyArray<Entry>): Step =>
  to(state, { _tag: "Reading", own }, { _tag: "ReadNews", after: state.memory.seen, own: own.map(({ id }) => id) })

/** What a person wrote meanwhile may stand before the reply: it was stored while the model was thinking. */
export const afterNews = (state: RunState, own: ReadonlyArray<Entry>, news: ReadonlyArray<Entry>): Step =>
  between(
    remember(
      state,
      [...own, ...news].sort((a, b) => (a.position < b.position ? -1 : 1))
    )
  )
