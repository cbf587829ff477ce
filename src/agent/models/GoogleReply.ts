import { randomUUID } from "node:crypto"
import { Effect, Schema } from "effect"
import { type ContentBlock, text } from "../../domain/ContentBlock.ts"
import { ModelError, type ModelReply } from "./LanguageModel.ts"

/** What Gemini answers, in provider-neutral blocks. */

const maybe = <S extends Schema.Constraint>(schema: S) => Schema.optional(Schema.NullOr(schema))

const Part = Schema.Struct({
  text: maybe(Schema.String),
  thought: maybe(Schema.Boolean),
  thoughtSignature: maybe(Schema.String),
  functionCall: maybe(
    Schema.Struct({
      id: maybe(Schema.String),
      name: Schema.String,
      args: maybe(Schema.Record(Schema.String, Schema.Json))
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
  usageMetadata: maybe(
    Schema.Struct({
      promptTokenCount: maybe(Schema.Int),
      cachedContentTokenCount: maybe(Schema.Int),
      candidatesTokenCount: maybe(Schema.Int),
      thoughtsTokenCount: maybe(Schema.Int)
    })
  )
})
type Answer = typeof Answer.Type

const decodeAnswer = Schema.decodeUnknownEffect(Answer)

/** The finish reasons that mean no. */
const refusals = ["SAFETY", "PROHIBITED_CONTENT", "BLOCKLIST", "RECITATION", "SPII", "LANGUAGE", "IMAGE_SAFETY"]

/** Slips of the model, which it rarely makes twice. */
const slips = ["MALFORMED_FUNCTION_CALL", "MALFORMED_RESPONSE", "UNEXPECTED_TOOL_CALL", "TOO_MANY_TOOL_CALLS"]

/** Reasons that leave nothing to go on with when they come before the first word. */
const cuts = ["MAX_TOKENS", "CONTINUATION", "OTHER"]

export const toReply = (answer: unknown): Effect.Effect<ModelReply, ModelError> =>
  decodeAnswer(answer).pipe(
    Effect.mapError(() => unavailable("the answer has an unexpected shape")),
    Effect.flatMap(judge)
  )

const judge = (answer: Answer): Effect.Effect<ModelReply, ModelError> => {
  const blocked = answer.promptFeedback?.blockReason ?? undefined
  if (blocked !== undefined) return Effect.fail(refused(`the prompt was blocked (${blocked})`))
  const candidate = answer.candidates?.[0]
  if (candidate === undefined) return Effect.fail(unavailable("the answer is empty"))
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
      input: usage?.promptTokenCount ?? 0,
      output: (usage?.candidatesTokenCount ?? 0) + (usage?.thoughtsTokenCount ?? 0),
      cacheRead: usage?.cachedContentTokenCount ?? 0,
      cacheWrite: 0
    }
  })
}

/**
 * A part's signature is stored as a thinking block in front of the part's own block, so that blocks look the same whoever made them.
 * Thoughts without a signature are of no use later and left out.
 */
const toBlocks = (parts: ReadonlyArray<Part>): ReadonlyArray<ContentBlock> => {
  const blocks: Array<ContentBlock> = []
  const ids = new Set<string>()
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
      const id = freshId(part.functionCall.id ?? "", ids)
      blocks.push({ id, name: part.functionCall.name, type: "tool_use", input: part.functionCall.args ?? {} })
    } else if ((part.text ?? "").trim() !== "") blocks.push(text(part.text ?? ""))
  }
  return blocks
}

/** Older models give their calls no id. */
const freshId = (given: string, ids: Set<string>): string => {
  const id = given === "" || ids.has(given) ? randomUUID() : given
  ids.add(id)
  return id
}

const refused = (problem: string) => new ModelError({ reason: "Refused", message: `Google: ${problem}` })
const unavailable = (problem: string) => new ModelError({ reason: "Unavailable", message: `Google: ${problem}` })
