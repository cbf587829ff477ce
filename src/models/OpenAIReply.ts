import { Effect, Schema } from "effect"
import { type ContentBlock, text } from "../domain/ContentBlock.ts"
import { decodeAnswer, textIn, tokensAt, unexpectedShape } from "./Answers.ts"
import { ModelError, type ModelReply } from "./LanguageModel.ts"
import { reasonOfFailure, refused } from "./OpenAIErrors.ts"
import { isReasoningId } from "./OpenAIModels.ts"

/** Of the answer of POST /v1/responses, what is used of it. */
const Answer = Schema.Struct({
  status: Schema.optionalKey(Schema.String),
  output: Schema.Array(Schema.Json),
  error: Schema.optionalKey(Schema.NullOr(Schema.Struct({ code: Schema.String, message: Schema.String }))),
  incomplete_details: Schema.optionalKey(
    Schema.NullOr(Schema.Struct({ reason: Schema.optionalKey(Schema.NullOr(Schema.String)) }))
  ),
  usage: Schema.optionalKey(Schema.Json)
})
type Answer = typeof Answer.Type

const Absent = Schema.optionalKey(Schema.Json)

const Item = Schema.Union([
  Schema.Struct({ type: Schema.Literal("message"), content: Schema.Array(Schema.Json) }),
  Schema.Struct({
    type: Schema.Literal("function_call"),
    status: Absent,
    call_id: Absent,
    name: Absent,
    arguments: Absent
  }),
  Schema.Struct({
    type: Schema.Literal("reasoning"),
    id: Absent,
    summary: Schema.optionalKey(Schema.Array(Schema.Json)),
    encrypted_content: Absent
  })
])
type Item = typeof Item.Type

const isItem = Schema.is(Item)
const isWords = Schema.is(Schema.Struct({ text: Schema.String }))
const isRefusal = Schema.is(Schema.Struct({ type: Schema.Literal("refusal"), refusal: Schema.String }))
const decodeReply = decodeAnswer(Answer)

/** Keeps what is stored of an answer's items, and nothing that only this provider knows. */
export const toReply = Effect.fnUntraced(function* (answer: unknown) {
  const decoded = yield* Effect.mapError(decodeReply(answer), () => unexpectedShape("OpenAI's", answer))
  yield* judge(decoded)
  const items = decoded.output.filter(isItem)
  const refusal = items.flatMap(refusalsOf)[0]
  if (refusal !== undefined) return yield* refused(refusal)
  return { content: items.flatMap(toBlocks), usage: toUsage(decoded.usage) } satisfies ModelReply
})

/** An answer of status 200 may still be a failure. */
const judge = ({ error, incomplete_details, status }: Answer): Effect.Effect<void, ModelError> => {
  if (incomplete_details?.reason === "content_filter")
    return Effect.fail(refused("its content filter stopped the answer"))
  if (status !== "failed") return Effect.void
  const { code, message } = error ?? { code: "server_error", message: "the answer failed" }
  return Effect.fail(new ModelError({ reason: reasonOfFailure(code), message: `OpenAI: ${message}` }))
}

const refusalsOf = (item: Item): ReadonlyArray<string> =>
  item.type === "message" ? item.content.filter(isRefusal).map(({ refusal }) => refusal) : []

/** A call that the limit of tokens cut off is left out. */
const toBlocks = (item: Item): ReadonlyArray<ContentBlock> => {
  switch (item.type) {
    case "message":
      return textsOf(item.content)
        .filter((words) => words !== "")
        .map(text)
    case "function_call":
      return item.status === "incomplete"
        ? []
        : [{ id: textIn(item.call_id), name: textIn(item.name), type: "tool_use", input: item.arguments ?? {} }]
    case "reasoning":
      return [toThinking(textIn(item.id), textIn(item.encrypted_content), textsOf(item.summary ?? []).join("\n\n"))]
  }
}

const textsOf = (parts: ReadonlyArray<Schema.Json>): ReadonlyArray<string> =>
  parts.filter(isWords).map(({ text: words }) => words)

/** See `ThinkingBlock`; what has no id is stored the other way round, as an earlier version did with all. */
const toThinking = (id: string, encrypted: string, words: string): ContentBlock =>
  isReasoningId(id)
    ? { type: "thinking", ...(words === "" ? {} : { summary: words }), thinking: encrypted, signature: id }
    : { type: "thinking", thinking: words, signature: encrypted }

const toUsage = (usage: Answer["usage"]): ModelReply["usage"] => ({
  input: tokensAt(usage, "input_tokens"),
  output: tokensAt(usage, "output_tokens"),
  cacheRead: tokensAt(usage, "input_tokens_details", "cached_tokens"),
  cacheWrite: tokensAt(usage, "input_tokens_details", "cache_write_tokens")
})
