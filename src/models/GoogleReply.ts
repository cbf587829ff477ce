import { Effect, Predicate, Schema } from "effect"
import { type ContentBlock, text } from "../domain/ContentBlock.ts"
import { decodeAnswer, textIn, tokensAt, unexpectedShape } from "./Answers.ts"
import { ModelError, type ModelReply } from "./LanguageModel.ts"

/** What Gemini answers, in provider-neutral blocks. */

const maybe = <S extends Schema.Constraint>(schema: S) => Schema.optional(Schema.NullOr(schema))

const Part = Schema.Struct({
  text: maybe(Schema.String),
  thought: maybe(Schema.Boolean),
  thoughtSignature: maybe(Schema.String),
  functionCall: maybe(
    Schema.Struct({
      id: maybe(Schema.Json),
      name: maybe(Schema.Json),
      args: maybe(Schema.Json)
    })
  )
})
type Part = typeof Part.Type

const Answer = Schema.Struct({
  candidates: maybe(
    Schema.Array(
      Schema.Struct({
        content: maybe(Schema.Struct({ parts: maybe(Schema.Array(Part)) })),
        finishReason: maybe(Schema.String),
        finishMessage: maybe(Schema.String)
      })
    )
  ),
  promptFeedback: maybe(Schema.Struct({ blockReason: maybe(Schema.String) })),
  usageMetadata: maybe(Schema.Json)
})
type Answer = typeof Answer.Type

const decodeReply = decodeAnswer(Answer)

/** The finish reasons that mean no. */
const refusals = ["SAFETY", "PROHIBITED_CONTENT", "BLOCKLIST", "RECITATION", "SPII", "LANGUAGE", "IMAGE_SAFETY"]

/** Slips of the model, which it rarely makes twice. */
const slips = ["MALFORMED_FUNCTION_CALL", "MALFORMED_RESPONSE", "UNEXPECTED_TOOL_CALL", "TOO_MANY_TOOL_CALLS"]

/** Reasons that leave nothing to go on with when they come before the first word. */
const cuts = ["MAX_TOKENS", "CONTINUATION", "OTHER"]

export const toReply = (answer: unknown): Effect.Effect<ModelReply, ModelError> =>
  decodeReply(answer).pipe(
    Effect.mapError(() => unlike(answer)),
    Effect.flatMap((decoded) => judge(decoded, answer))
  )

const judge = (answer: Answer, given: unknown): Effect.Effect<ModelReply, ModelError> => {
  const blocked = answer.promptFeedback?.blockReason ?? undefined
  if (blocked !== undefined) return Effect.fail(refused(`the prompt was blocked (${blocked})`))
  const candidate = answer.candidates?.[0]
  if (candidate === undefined) return Effect.fail(unlike(given))
  const reason = candidate.finishReason ?? ""
  if (refusals.includes(reason)) return Effect.fail(refused(`the model refused to go on with this task (${reason})`))
  const content = toBlocks(candidate.content?.parts ?? [])
  if (slips.includes(reason) || (cuts.includes(reason) && content.length === 0)) {
    return Effect.fail(unavailable(`the model gave no usable answer (${reason})`))
  }
  const usage = answer.usageMetadata
  return Effect.succeed({
    content,
    usage: {
      input: tokensAt(usage, "promptTokenCount"),
      output: tokensAt(usage, "candidatesTokenCount") + tokensAt(usage, "thoughtsTokenCount"),
      cacheRead: tokensAt(usage, "cachedContentTokenCount"),
      cacheWrite: 0
    }
  })
}

/**
 * A part's signature is stored as a thinking block in front of the part's own block, so that blocks look the same for every provider.
 * Thoughts without a signature are of no use later and left out.
 */
const toBlocks = (parts: ReadonlyArray<Part>): ReadonlyArray<ContentBlock> => {
  const blocks: Array<ContentBlock> = []
  let thinking = ""
  for (const part of parts) {
    if (part.thought === true) thinking += part.text ?? ""
    const signature = part.thoughtSignature ?? ""
    if (signature !== "") {
      blocks.push({ type: "thinking", thinking, signature })
      thinking = ""
    }
    if (part.thought === true) continue
    if (part.functionCall) {
      const { args, id, name } = part.functionCall
      blocks.push({ id: textIn(id), name: textIn(name), type: "tool_use", input: args ?? {} })
    } else if ((part.text ?? "").trim() !== "") blocks.push(text(part.text ?? ""))
  }
  return blocks
}

/** The SDK adds the headers of HTTP to an answer. */
const unlike = (answer: unknown): ModelError =>
  unexpectedShape("Google's", Predicate.isObject(answer) ? { ...answer, sdkHttpResponse: undefined } : answer)

const refused = (problem: string) => new ModelError({ reason: "Refused", message: `Google: ${problem}` })
const unavailable = (problem: string) => new ModelError({ reason: "Unavailable", message: `Google: ${problem}` })
