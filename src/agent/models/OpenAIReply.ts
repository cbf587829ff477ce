import { Effect, Option, Schema } from "effect"
import type { ContentBlock } from "../../domain/ContentBlock.ts"
import { ModelError, type ModelReply } from "./LanguageModel.ts"
import { refused, reasonOfFailure } from "./OpenAIErrors.ts"

/** Of the answer of POST /v1/responses, what is used of it. */
const Answer = Schema.Struct({
  status: Schema.optionalKey(Schema.String),
  output: Schema.Array(Schema.Json),
  error: Schema.optionalKey(Schema.NullOr(Schema.Struct({ code: Schema.String, message: Schema.String }))),
  incomplete_details: Schema.optionalKey(
    Schema.NullOr(Schema.Struct({ reason: Schema.optionalKey(Schema.NullOr(Schema.String)) }))
  ),
  usage: Schema.optionalKey(
    Schema.NullOr(
      Schema.Struct({
        input_tokens: Schema.Int,
        output_tokens: Schema.Int,
        input_tokens_details: Schema.optionalKey(
          Schema.Struct({
            cached_tokens: Schema.optionalKey(Schema.Int),
            cache_write_tokens: Schema.optionalKey(Schema.Int)
          })
        )
      })
    )
  )
})
type Answer = typeof Answer.Type

const Item = Schema.Union([
  Schema.Struct({
    type: Schema.Literal("message"),
    content: Schema.Array(
      Schema.Union([
        Schema.Struct({ type: Schema.Literal("output_text"), text: Schema.String }),
        Schema.Struct({ type: Schema.Literal("refusal"), refusal: Schema.String })
      ])
    )
  }),
  Schema.Struct({
    type: Schema.Literal("function_call"),
    status: Schema.optionalKey(Schema.String),
    call_id: Schema.String,
    name: Schema.String,
    arguments: Schema.String
  }),
  Schema.Struct({
    type: Schema.Literal("reasoning"),
    summary: Schema.Array(Schema.Struct({ text: Schema.String })),
    encrypted_content: Schema.optionalKey(Schema.NullOr(Schema.String))
  })
])
type Item = typeof Item.Type

const isItem = Schema.is(Item)
const decodeAnswer = Schema.decodeUnknownEffect(Answer)
const decodeJson = Schema.decodeUnknownOption(Schema.fromJsonString(Schema.Json))

/** Keeps what is stored of an answer's items, and nothing that only this provider knows. */
export const toReply = Effect.fnUntraced(function* (answer: unknown) {
  const decoded = yield* Effect.mapError(decodeAnswer(answer), unexpectedShape)
  yield* judge(decoded)
  const items = decoded.output.filter(isItem)
  const refusal = items.flatMap(refusalsOf)[0]
  if (refusal !== undefined) return yield* refused(refusal)
  return { content: items.flatMap(toBlocks), usage: toUsage(decoded.usage) } satisfies ModelReply
})

export const unexpectedShape = () =>
  new ModelError({ reason: "Unavailable", message: "OpenAI's answer has an unexpected shape" })

/** An answer of status 200 may still be a failure. */
const judge = ({ error, incomplete_details, status }: Answer): Effect.Effect<void, ModelError> => {
  if (incomplete_details?.reason === "content_filter")
    return Effect.fail(refused("its content filter stopped the answer"))
  if (status !== "failed") return Effect.void
  const { code, message } = error ?? { code: "server_error", message: "the answer failed" }
  return Effect.fail(new ModelError({ reason: reasonOfFailure(code), message: `OpenAI: ${message}` }))
}

const refusalsOf = (item: Item): ReadonlyArray<string> =>
  item.type === "message" ? item.content.flatMap((part) => (part.type === "refusal" ? [part.refusal] : [])) : []

/** A call that the limit of tokens cut off is left out. */
const toBlocks = (item: Item): ReadonlyArray<ContentBlock> => {
  switch (item.type) {
    case "message":
      return item.content.flatMap((part) =>
        part.type === "output_text" && part.text !== "" ? [{ text: part.text, type: "text" }] : []
      )
    case "function_call":
      return item.status === "incomplete"
        ? []
        : [{ id: item.call_id, name: item.name, type: "tool_use", input: toInput(item.arguments) }]
    case "reasoning":
      return [
        {
          type: "thinking",
          thinking: item.summary.map(({ text }) => text).join("\n\n"),
          signature: item.encrypted_content ?? ""
        }
      ]
  }
}

/** What is not JSON stays text, so that the model is told what is wrong with it. */
const toInput = (text: string): Schema.Json =>
  text.trim() === "" ? {} : Option.getOrElse(decodeJson(text), () => text)

const toUsage = (usage: Answer["usage"]): ModelReply["usage"] => ({
  input: usage?.input_tokens ?? 0,
  output: usage?.output_tokens ?? 0,
  cacheRead: usage?.input_tokens_details?.cached_tokens ?? 0,
  cacheWrite: usage?.input_tokens_details?.cache_write_tokens ?? 0
})
