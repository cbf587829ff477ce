import { Effect, Option, Schema } from "effect"
import type { ContentBlock } from "../domain/ContentBlock.ts"
import { decodeAnswer, textIn, tokensAt, unexpectedShape } from "./Answers.ts"
import { ModelError, type ModelReply } from "./LanguageModel.ts"

const decodeReply = decodeAnswer(
  Schema.Struct({
    content: Schema.Array(Schema.Json),
    stop_reason: Schema.optionalKey(Schema.Json),
    stop_details: Schema.optionalKey(Schema.Json),
    usage: Schema.optionalKey(Schema.Json)
  })
)

/** Keeps what is stored of an answer. */
export const toReply = (answer: unknown): Effect.Effect<ModelReply, ModelError> =>
  decodeReply(answer).pipe(
    Effect.mapError(() => unexpectedShape("Anthropic's", answer)),
    Effect.flatMap((decoded) => {
      const { content, stop_reason, usage } = decoded
      if (stop_reason === "refusal") return Effect.fail(refused(decoded.stop_details))
      if (stop_reason === "model_context_window_exceeded") return Effect.fail(cutOff)
      const cacheRead = tokensAt(usage, "cache_read_input_tokens")
      const cacheWrite = tokensAt(usage, "cache_creation_input_tokens")
      return Effect.succeed<ModelReply>({
        content: content.flatMap((block, index) =>
          toStored(block, stop_reason === "max_tokens" && index === content.length - 1)
        ),
        usage: {
          input: tokensAt(usage, "input_tokens") + cacheRead + cacheWrite,
          output: tokensAt(usage, "output_tokens"),
          cacheRead,
          cacheWrite
        }
      })
    })
  )

/** Of the SDK's `RefusalStopDetails`. */
const decodeDetails = Schema.decodeUnknownOption(
  Schema.Struct({
    category: Schema.optionalKey(Schema.NullOr(Schema.String)),
    explanation: Schema.optionalKey(Schema.NullOr(Schema.String))
  })
)

const refused = (details: Schema.Json | undefined): ModelError => {
  const { category, explanation } = Option.getOrElse(decodeDetails(details), (): RefusalDetails => ({}))
  const told = [category, explanation].filter((words) => typeof words === "string" && words !== "").join(": ")
  const message = "Anthropic: the model refused to go on with this task"
  return new ModelError({ reason: "Refused", message: told === "" ? message : `${message} (${told})` })
}

interface RefusalDetails {
  readonly category?: string | null
  readonly explanation?: string | null
}

const cutOff = new ModelError({
  reason: "ContextTooLong",
  message: "Anthropic: the answer did not fit into what the conversation left of the context window"
})

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

/** Keeps what is stored of a block, and nothing that only this provider knows. A call that the limit of tokens cut off has no input that could be carried out. */
const toStored = (given: Schema.Json, isCut: boolean): ReadonlyArray<ContentBlock> => {
  const block = Option.getOrUndefined(decodeBlock(given))
  if (block?.type !== "tool_use") return block === undefined ? [] : [block]
  const input = isCut ? "(cut off by the limit of tokens)" : (block.input ?? {})
  return [{ id: textIn(block.id), name: textIn(block.name), type: "tool_use", input }]
}
