import type { Entry } from "../../domain/Conversation.ts"
import { afterRecall, afterTool } from "./batch.ts"
import type { Command } from "./Command.ts"
import {
  afterNews,
  afterNudge,
  afterReady,
  afterReply,
  afterStoredReply,
  afterSummary,
  between,
  read
} from "./iteration.ts"
import type { Observation } from "./Observation.ts"
import { afterFiles, afterLoad, afterReload, reload } from "./preparation.ts"
import { type Batch, emptyMemory, type Facts, type RunState } from "./RunState.ts"
import { type Step, to } from "./Step.ts"

/** The state of a run that has not begun, and its first command. */
export const begin = (facts: Facts): Step =>
  to({ facts, memory: emptyMemory }, { _tag: "Loading", isSettled: false }, { _tag: "Load" })

/**
 * What a run does next, given what has happened (docs/contract/agent.md, "One task"). Pure. A run that is over commands nothing; an observation that no
 * command has asked for is a bug, and breaks the run.
 *
 * A tool that fails does not end its batch: the tools of a reply are carried out in order, all of them, as in the original. A batch stops
 * where the run does, with `Stopped`.
 */
export const decide = (state: RunState, seen: Observation): Step => {
  if (state.phase._tag === "Ended") return [state, { _tag: "Stop" }]
  if (seen._tag === "Stopped") return over(state)
  return inPreparation(state, seen) ?? inIteration(state, seen) ?? inBatch(state, seen) ?? broken(state, seen)
}

/** Whether the run is over with the command. */
export const isOver = ({ _tag }: Command): boolean => _tag === "Stop" || _tag === "Break"

const over = (state: RunState): Step => to(state, { _tag: "Ended" }, { _tag: "Stop" })

const broken = (state: RunState, seen: Observation): Step =>
  to(state, { _tag: "Ended" }, { _tag: "Break", reason: `${seen._tag} was observed while ${state.phase._tag}` })

const inPreparation = (state: RunState, seen: Observation): Step | undefined => {
  const { phase } = state
  switch (phase._tag) {
    case "Loading":
      return seen._tag === "Loaded" ? afterLoad(state, seen.conversation, phase.isSettled) : undefined
    case "Recalling":
      return seen._tag === "Recalled" ? afterRecall(state, phase.reply, seen.answers) : undefined
    case "WritingFiles":
      return seen._tag === "FilesWritten" ? afterFiles(state, phase.isFresh, seen.isTold) : undefined
    case "Arriving":
      return seen._tag === "Arrived" ? reload(state) : undefined
    case "Reloading":
      return seen._tag === "Loaded" ? afterReload(state, seen.conversation) : undefined
    case "Counting":
      return seen._tag === "Counted" ? between({ ...state, memory: { ...state.memory, spent: seen.spent } }) : undefined
    default:
      return undefined
  }
}

const inIteration = (state: RunState, seen: Observation): Step | undefined => {
  const { phase } = state
  switch (phase._tag) {
    case "Between":
      return seen._tag === "Ready" ? afterReady(state) : undefined
    case "Nudging":
      return seen._tag === "Nudged" ? afterNudge(state, seen.entry) : undefined
    case "Asking":
      return afterReply(state, phase, seen)
    case "Shortening":
    case "Summarising":
      return afterSummary(state, phase, seen)
    case "StoringReply":
      return seen._tag === "ReplyStored" ? afterStoredReply(state, phase.isCrowded, seen.entry) : undefined
    case "Reading":
      return seen._tag === "News" ? afterNews(state, phase.own, seen.entries) : undefined
    case "Finishing":
      return seen._tag === "Finished" ? over(state) : undefined
    default:
      return undefined
  }
}

const inBatch = (state: RunState, seen: Observation): Step | undefined => {
  const { phase } = state
  switch (phase._tag) {
    case "Acting":
      if (seen._tag !== "ToolDone") return undefined
      return seen.stored === undefined
        ? afterTool(state, phase, seen.answer)
        : afterResults(state, phase.batch, seen.stored)
    case "StoringResults":
      if (seen._tag !== "ResultsStored") return undefined
      return phase.end === undefined ? afterResults(state, phase.batch, seen.entry) : over(state)
    default:
      return undefined
  }
}

/** A batch that an earlier run had left is stored: the run begins. */
const afterResults = (state: RunState, { isLeft, reply }: Batch, results: Entry): Step =>
  isLeft ? to(state, { _tag: "Loading", isSettled: true }, { _tag: "Load" }) : read(state, [reply, results])
