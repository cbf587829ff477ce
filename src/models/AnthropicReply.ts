import { Effect, Option, Schema } from "effect"
import type { ContentBlock } from "../domain/ContentBlock.ts"
import { decodeAnswer, textIn, tokensAt, unexpectedShape } from "./Answers.ts"
import { ModelError, type ModelReply } from "./LanguageModel.ts"

const decodeReply = decodeAnswer(
  Schema.Struct({
    content: Schema.Array(Schema.Json),
    stop_reason: Schema.optionalKey(Schema.Json),
    usage: Schema.optionalKey(Schema.Json)
  })
)

/** Keeps what is stored of an answer. */
export const toReply = (answer: unknown): Effect.Effect<ModelReply, ModelError> =>
  decodeReply(answer).pipe(
    Effect.mapError(() => unexpectedShape("Anthropic's", answer)),
    Effect.filterOrFail(
      ({ stop_reason }) => stop_reason !== "refusal",
      () => new ModelError({ reason: "Refused", message: "Anthropic: the model refused to go on with this task" })
    ),
    Effect.map(({ content, usage }): ModelReply => {
      const cacheRead = tokensAt(usage, "cache_read_input_tokens")
      const cacheWrite = tokensAt(usage, "cache_creation_input_tokens")
      return {
        content: content.flatMap(toStored),
        usage: {
          input: tokensAt(usage, "input_tokens") + cacheRead + cacheWrite,
          output: tokensAt(usage, "output_tokens"),
          cacheRead,
          cacheWrite
        }
      }
    })
  )

const decodeBlock = Schema.decodeUnknownOption(
  Schema.Union([
    Schema.Struct({ type: Schema.Literal("text"), text: Schema.String }),
    Schema.Struct({
      type: Schema.Literal("tool_use"),
      id: Schema.optionalKey(Schema.Json),
      name: Schema.optionalKey(Schema.Json),
      input: Schema.optionalKey(Schema.Json)
    }),
    Schema.Struct({ type: Schema.Literal("thinking"), thinking: Schema.String, signature: Schema.String }),
    Schema.Struct({ type: Schema.Literal("redacted_thinking"), data: Schema.String })
  ])
)

/** Keeps what is stored of a block, and nothing that only this provider knows. */
const toStored = (given: Schema.Json): ReadonlyArray<ContentBlock> => {
  const block = Option.getOrUndefined(decodeBlock(given))
  if (block?.type !== "tool_use") return block === undefined ? [] : [block]
  return [{ id: textIn(block.id), name: textIn(block.name), type: "tool_use", input: block.input ?? {} }]
}
