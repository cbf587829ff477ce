import { hash } from "node:crypto"
import { DateTime, Option, Result } from "effect"
import type { ContentBlock, ToolResultBlock, ToolUseBlock } from "../domain/ContentBlock.ts"
import { type Entry, toolUses } from "../domain/Conversation.ts"
import { parseToolUse } from "./Tools.ts"

/** Answers in a row without a tool after which the model is nudged. */
const textsAllowed = 3

/** How often in a row the same steps may bring the same results before the model is nudged; once more, and a person is asked. */
const repeatsAllowed = 5

/** The longest cycle that is noticed, in steps: click, look, scroll, look. */
const longestCycle = 4

/** Steps that are remembered: as many as it takes to see the longest cycle once too often. */
const remembered = longestCycle * (repeatsAllowed + 1)

/**
 * Short looks at a screen that does not change after which the model is nudged to wait longer at a time, and after which a person is
 * asked. A wait of `longWait` ms or more is not one of them: only the time that is spent waiting bounds those.
 */
const looksAllowed = { nudge: 20, help: 40 }
const longWait = 5_000

/** Milliseconds that a look or a wait may take beyond what was asked for. What takes longer was an outage, and not the model's doing. */
const overhead = 10_000

const mark = "Note from the service: "

/** How the last steps of a task went. A step is a reply with tools and their results. */
export interface Progress {
  /** Answers without a tool in a row. */
  readonly texts: number
  /** Digests of the last steps with their results, oldest first; `isWaiting`: the step only waited or looked. */
  readonly steps: ReadonlyArray<{ readonly digest: string; readonly isWaiting: boolean }>
  /** The steps since the last that did more than wait and look. */
  readonly waiting: {
    /** Short looks in a row at the same screen. */
    readonly looks: number
    readonly milliseconds: number
    /** Digest of the last picture. */
    readonly screen: string
  }
  /** Whether the model was told so already. */
  readonly isNudged: boolean
  /** The last reply with tools, as long as its results are not known. */
  readonly reply: Entry | undefined
}

const notWaiting: Progress["waiting"] = { looks: 0, milliseconds: 0, screen: "" }
export const noProgress: Progress = { texts: 0, steps: [], waiting: notWaiting, isNudged: false, reply: undefined }

/** What to do about it: `nudge` is for the model to read, `help` for the person who is asked. */
export type Verdict =
  | { readonly _tag: "GoOn" }
  | { readonly _tag: "Nudge"; readonly nudge: string }
  | { readonly _tag: "AskForHelp"; readonly reason: string }

/** Follows the messages of a task, in order; a word from a person counts as a new start. */
export const follow = (progress: Progress, entries: ReadonlyArray<Entry>): Progress => entries.reduce(step, progress)

const step = (progress: Progress, entry: Entry): Progress => {
  if (entry.role === "ASSISTANT") return afterReply(progress, entry)
  if (entry.content.some(isNudge)) return { ...progress, isNudged: true }
  const results = entry.content.flatMap((block) => (block.type === "tool_result" ? [block] : []))
  if (results.length === 0) return noProgress
  return progress.reply === undefined ? progress : afterResults(progress, progress.reply, entry, results)
}

const afterReply = (progress: Progress, reply: Entry): Progress =>
  toolUses(reply.content).length === 0
    ? { ...noProgress, texts: progress.texts + 1, isNudged: progress.texts > 0 && progress.isNudged }
    : { ...progress, texts: 0, isNudged: progress.texts === 0 && progress.isNudged, reply }

const afterResults = (
  progress: Progress,
  reply: Entry,
  answer: Entry,
  results: ReadonlyArray<ToolResultBlock>
): Progress => {
  const uses = toolUses(reply.content)
  const waits = uses.map(waitOf)
  const isWaiting = waits.every((wait) => wait !== undefined) && results.every((one) => one.is_error !== true)
  const shown = results.map((result) => [result.content, result.is_error === true])
  const last = { digest: digest([uses.map(({ input, name }) => [name, input]), shown]), isWaiting }
  const steps = [...progress.steps, last].slice(-remembered)
  const asked = waits.reduce<number>((sum, wait) => sum + (wait ?? 0), 0)
  const took = DateTime.toEpochMillis(answer.createdAt) - DateTime.toEpochMillis(reply.createdAt)
  const milliseconds = Math.max(asked, Math.min(took, asked + overhead * uses.length))
  const waiting = isWaiting ? afterWait(progress.waiting, { asked, milliseconds }, results) : notWaiting
  const isStuck = repeatsIn(steps) >= repeatsAllowed || waiting.looks >= looksAllowed.nudge
  const isStillWaiting = isWaiting && progress.steps.at(-1)?.isWaiting === true
  return {
    texts: 0,
    steps,
    waiting,
    isNudged: progress.isNudged && (isStuck || isStillWaiting),
    reply: undefined
  }
}

const afterWait = (
  before: Progress["waiting"],
  { asked, milliseconds }: { readonly asked: number; readonly milliseconds: number },
  results: ReadonlyArray<ToolResultBlock>
): Progress["waiting"] => {
  const pictures = results.flatMap(({ content }) => content.filter(({ type }) => type === "image"))
  const screen = pictures.length === 0 ? before.screen : digest(pictures.at(-1))
  const isSame = screen === before.screen
  const looks = asked >= longWait ? 0 : 1
  return {
    looks: isSame ? before.looks + looks : looks,
    milliseconds: before.milliseconds + milliseconds,
    screen
  }
}

/** Milliseconds for which a tool_use asks to wait, 0 for one that looks; undefined for what may change the screen. */
const waitOf = (use: ToolUseBlock): number | undefined => {
  const call = Option.getOrUndefined(Result.getSuccess(parseToolUse(use)))
  if (call?._tag === "Screenshot" || call?._tag === "CursorPosition") return 0
  if (call?._tag !== "Act" || call.action.action !== "wait") return undefined
  const { duration } = call.action.parameters
  return typeof duration === "number" ? duration : 0
}

/** How often in a row the last steps, some cycle of them, brought the same. Cycles of waiting alone are judged by time. */
const repeatsIn = (steps: Progress["steps"]): number => {
  let most = 0
  for (let period = 1; period <= longestCycle; period++) {
    if (steps.slice(-period).every(({ isWaiting }) => isWaiting)) continue
    let same = 0
    while (
      steps.length - 1 - same - period >= 0 &&
      steps[steps.length - 1 - same]?.digest === steps[steps.length - 1 - same - period]?.digest
    ) {
      same++
    }
    most = Math.max(most, Math.floor(same / period) + 1)
  }
  return most
}

/** A model that is stuck is told so once; if that does not help, a person is asked. `longestWait`: milliseconds of pure waiting. */
export const judge = ({ isNudged, steps, texts, waiting }: Progress, longestWait: number): Verdict => {
  if (texts >= textsAllowed) return isNudged ? help("The model answers without acting") : nudge(withoutTool)
  const repeats = repeatsIn(steps)
  if (repeats >= repeatsAllowed && !isNudged) return nudge(withoutEffect)
  if (repeats > repeatsAllowed) return help(`The model repeated the same action ${repeats} times, without effect`)
  if (waiting.milliseconds >= longestWait) {
    const minutes = Math.round(waiting.milliseconds / 60_000)
    return isNudged ? help(`The model has only waited for ${minutes} minutes`) : nudge(waitedLong(minutes))
  }
  if (waiting.looks >= looksAllowed.help)
    return help("The model looks again and again at a screen that does not change")
  return waiting.looks >= looksAllowed.nudge && !isNudged ? nudge(withoutChange) : { _tag: "GoOn" }
}

const withoutTool =
  "your last answers used no tool. Act with your tools, or call set_task_status: completed if the task is done, needs_help if you can't go on."

const withoutEffect =
  "the same action had the same result several times in a row. Look at the screen and try another way, or call set_task_status with needs_help."

const withoutChange =
  "the screen has not changed while you looked at it again and again. If you wait for something, wait longer at a time, up to some minutes; otherwise try another way, or call set_task_status with needs_help."

const waitedLong = (minutes: number): string =>
  `you have only waited for ${minutes} minutes. Try another way, or call set_task_status with needs_help.`

const nudge = (words: string): Verdict => ({ _tag: "Nudge", nudge: `${mark}${words}` })
const help = (reason: string): Verdict => ({ _tag: "AskForHelp", reason })

const isNudge = (block: ContentBlock): boolean => block.type === "text" && block.text.startsWith(mark)

const digest = (value: unknown): string => hash("sha1", JSON.stringify(value), "base64")
