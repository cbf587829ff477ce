import { Effect } from "effect"
import { text } from "../domain/ContentBlock.ts"
import type { AnsweredCall, Conversation } from "../domain/Conversation.ts"
import { ModelError, type ModelReply, type ModelRequest } from "../models/LanguageModel.ts"
import type { AskingTask, Generate } from "./ModelCall.ts"
import type { Candidate } from "./ModelRoute.ts"
import { summaryRequest } from "./Prompt.ts"
import { withoutTools } from "./Turns.ts"

const empty = new ModelError({ reason: "Unavailable", message: "The summary is empty", shape: "no summary" })

/**
 * Has a model summarise a conversation. Some servers ignore that no tool is to be called: where the summary `isForced`, those are asked once
 * more, without tools.
 */
export const summarise = Effect.fnUntraced(function* (
  generate: Generate,
  task: AskingTask,
  candidate: Candidate,
  conversation: Conversation,
  isForced: boolean
) {
  const first = yield* generate(task, candidate, conversation, ({ turns }) => ({
    turns: asking(turns),
    toolChoice: "none"
  }))
  const words = wordsIn(first.content)
  if (words !== "") return { content: words, call: { ...first.call, prefix: null } }
  if (!isForced) return yield* empty
  const second = yield* generate(task, candidate, conversation, ({ turns }) => ({
    turns: asking(withoutTools(turns)),
    toolChoice: "none",
    tools: []
  }))
  const content = wordsIn(second.content) || thoughtsIn([...first.content, ...second.content])
  if (content === "") return yield* empty
  return { content, call: { ...both(first.call, second.call), prefix: null } }
})

const wordsIn = (content: ModelReply["content"]): string =>
  content
    .flatMap((block) => (block.type === "text" ? [block.text] : []))
    .join("\n")
    .trim()

/** Some servers leave an answer's words in the field of the reasoning. */
const thoughtsIn = (content: ModelReply["content"]): string =>
  content
    .flatMap((block) => (block.type === "thinking" ? [block.thinking] : []))
    .join("\n")
    .trim()

/** What two calls took together. */
const both = (a: AnsweredCall, b: AnsweredCall): AnsweredCall => ({
  ...b,
  tokens: {
    input: a.tokens.input + b.tokens.input,
    output: a.tokens.output + b.tokens.output,
    cacheRead: a.tokens.cacheRead + b.tokens.cacheRead,
    cacheWrite: a.tokens.cacheWrite + b.tokens.cacheWrite
  },
  cost: a.cost === null || b.cost === null ? null : a.cost + b.cost,
  durationMs: a.durationMs + b.durationMs
})

/** The turns with the request for a summary at their end. */
const asking = (turns: ModelRequest["turns"]): ModelRequest["turns"] => {
  const last = turns.at(-1)
  return last?.role === "user"
    ? [...turns.slice(0, -1), { ...last, content: [...last.content, text(summaryRequest)] }]
    : [...turns, { role: "user", content: [text(summaryRequest)] }]
}
