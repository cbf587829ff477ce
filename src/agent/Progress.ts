import { hash } from "node:crypto"
import type { ContentBlock, ToolUseBlock } from "../domain/ContentBlock.ts"
import { type Entry, toolUses } from "../messages/Conversations.ts"

/** Answers in a row without a tool, and equal actions with equal results in a row, after which the model is nudged. */
const patience = { texts: 3, repeats: 5 }

const mark = "Note from the service: "

/** How the last steps of a task went. */
export interface Progress {
  /** Answers without a tool in a row. */
  readonly texts: number
  /** How often in a row the same actions brought the same results. */
  readonly repeats: number
  /** Whether the model was told so already. */
  readonly isNudged: boolean
  /** Digests of the last reply's actions, and of the last step as a whole. */
  readonly actions: string
  readonly step: string
}

export const noProgress: Progress = { texts: 0, repeats: 0, isNudged: false, actions: "", step: "" }

/** What to do about it: `nudge` is for the model to read, `help` for the person who is asked. */
export type Verdict =
  | { readonly _tag: "GoOn" }
  | { readonly _tag: "Nudge"; readonly nudge: string }
  | { readonly _tag: "AskForHelp"; readonly reason: string }

/** Follows the messages of a task, in order; a word from a person counts as a new start. */
export const follow = (progress: Progress, entries: ReadonlyArray<Entry>): Progress => entries.reduce(step, progress)

const step = (progress: Progress, { content, role }: Entry): Progress => {
  if (role === "ASSISTANT") return afterReply(progress, toolUses(content))
  if (content.some(isNudge)) return { ...progress, isNudged: true }
  const results = content.flatMap((block) =>
    block.type === "tool_result" ? [[block.content, block.is_error === true]] : []
  )
  return results.length === 0 ? noProgress : afterResults(progress, results)
}

const afterReply = (progress: Progress, uses: ReadonlyArray<ToolUseBlock>): Progress => {
  const isNudged =
    uses.length === 0 ? progress.texts > 0 && progress.isNudged : progress.texts === 0 && progress.isNudged
  return uses.length === 0
    ? { ...noProgress, texts: progress.texts + 1, isNudged }
    : { ...progress, texts: 0, isNudged, actions: digest(uses.map(({ input, name }) => [name, input])) }
}

const afterResults = (progress: Progress, results: ReadonlyArray<unknown>): Progress => {
  const now = digest([progress.actions, results])
  return now === progress.step
    ? { ...progress, repeats: progress.repeats + 1 }
    : { ...progress, repeats: 1, step: now, isNudged: false }
}

/** A model that is stuck is told so once; if that does not help, a person is asked. */
export const judge = ({ isNudged, repeats, texts }: Progress): Verdict => {
  if (texts >= patience.texts) {
    return isNudged ? help("The model answers without acting") : nudge(withoutTool)
  }
  if (repeats >= patience.repeats) {
    return isNudged ? help(`The model repeated the same action ${repeats} times, without effect`) : nudge(withoutEffect)
  }
  return { _tag: "GoOn" }
}

const withoutTool =
  "your last answers used no tool. Act with your tools, or call set_task_status: completed if the task is done, needs_help if you can't go on."

const withoutEffect =
  "the same action had the same result several times in a row. Look at the screen and try another way, or call set_task_status with needs_help."

const nudge = (words: string): Verdict => ({ _tag: "Nudge", nudge: `${mark}${words}` })
const help = (reason: string): Verdict => ({ _tag: "AskForHelp", reason })

const isNudge = (block: ContentBlock): boolean => block.type === "text" && block.text.startsWith(mark)

const digest = (value: unknown): string => hash("sha1", JSON.stringify(value), "base64")
