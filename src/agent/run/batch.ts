import type { ToolResultBlock } from "../../domain/ContentBlock.ts"
import { type Entry, toolUses } from "../../domain/Conversation.ts"
import type { Outcome } from "../../tasks/TaskRuns.ts"
import type { ToolOutcome } from "../ToolRunner.ts"
import type { Batch, Phase, RunState } from "./RunState.ts"
import { type Step, to } from "./Step.ts"

/** The next tool of the batch that has no answer; once all have one, their results are stored. */
export const act = (state: RunState, batch: Batch): Step => {
  const { answers, reply } = batch
  const index = answers.indexOf(undefined)
  if (index === -1) {
    const results = resultsOf(answers)
    const end = endOf(answers)
    return to(state, { _tag: "StoringResults", batch, end }, { _tag: "StoreResults", reply, results, end })
  }
  const isLast = index === answers.length - 1 && endOf(answers) === undefined
  const before = isLast ? resultsOf(answers) : undefined
  return to(state, { _tag: "Acting", batch, index }, { _tag: "RunTool", reply, index, before })
}

/** Tools of which nothing is known are carried out. */
export const afterRecall = (state: RunState, reply: Entry, known: ReadonlyArray<ToolOutcome | undefined>): Step =>
  act(state, { reply, answers: toolUses(reply.content).map((_, index) => known[index]), isLeft: true })

export const afterTool = (
  state: RunState,
  { batch, index }: Extract<Phase, { readonly _tag: "Acting" }>,
  answer: ToolOutcome
): Step => act(state, { ...batch, answers: batch.answers.with(index, answer) })

const resultsOf = (answers: ReadonlyArray<ToolOutcome | undefined>): ReadonlyArray<ToolResultBlock> =>
  answers.flatMap((answer) => (answer === undefined ? [] : [answer.result]))

/** The status that the model asked for last; the tools after it are carried out all the same, as in the original. */
const endOf = (answers: ReadonlyArray<ToolOutcome | undefined>): Outcome | undefined =>
  answers.findLast((answer) => answer?.outcome !== undefined)?.outcome
