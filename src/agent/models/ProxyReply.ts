import { randomUUID } from "node:crypto"
import { Effect, Option, Schema } from "effect"
import type { ContentBlock } from "../../domain/ContentBlock.ts"
import type { ModelReply } from "./LanguageModel.ts"
import { OpenAIProblem } from "./OpenAIErrors.ts"
import { refused, toModelError, unexpectedShape } from "./ProxyErrors.ts"

const absent = <S extends Schema.Top>(schema: S) => Schema.optionalKey(Schema.NullOr(schema))

/** A chat completion, as far as the endpoints agree on it: much of it may be missing. */
const Answer = Schema.Struct({
  choices: Schema.NonEmptyArray(
    Schema.Struct({
      finish_reason: absent(Schema.String),
      message: Schema.Struct({
        content: absent(Schema.Union([Schema.String, Schema.Array(Schema.Json)])),
        refusal: absent(Schema.String),
        reasoning_content: absent(Schema.String),
        reasoning: absent(Schema.String),
        tool_calls: absent(
          Schema.Array(
            Schema.Struct({
              id: absent(Schema.String),
              function: Schema.Struct({ name: Schema.String, arguments: absent(Schema.Json) })
            })
          )
        )
      })
    })
  ),
  usage: absent(
    Schema.Struct({
      prompt_tokens: absent(Schema.Int),
      completion_tokens: absent(Schema.Int),
      cache_creation_input_tokens: absent(Schema.Int),
      prompt_tokens_details: absent(Schema.Struct({ cached_tokens: absent(Schema.Int) }))
    })
  )
})
type Answer = typeof Answer.Type
type Message = Answer["choices"][0]["message"]

/** OpenRouter answers 200 with an error in it when the model's own provider failed; its `code` is a status. */
const Failure = Schema.Struct({ error: Schema.Struct({ message: Schema.String, code: absent(Schema.Json) }) })

const decodeAnswer = Schema.decodeUnknownEffect(Answer)
const decodeFailure = Schema.decodeUnknownOption(Failure)
const decodeJson = Schema.decodeUnknownOption(Schema.fromJsonString(Schema.Json))
const isText = Schema.is(Schema.Struct({ type: Schema.Literal("text"), text: Schema.String }))

/** Keeps what is stored of an answer, and nothing that only some endpoint knows. */
export const toReply = Effect.fnUntraced(function* (answer: unknown) {
  const failure = decodeFailure(answer)
  if (Option.isSome(failure)) {
    const { code, message } = failure.value.error
    const status = typeof code === "number" ? code : 502
    return yield* toModelError(new OpenAIProblem({ message, status, code: String(code ?? "") }))
  }
  const { choices, usage } = yield* Effect.mapError(decodeAnswer(answer), unexpectedShape)
  const [{ finish_reason, message }] = choices
  if (typeof message.refusal === "string" && message.refusal !== "") return yield* refused(message.refusal)
  if (finish_reason === "content_filter") return yield* refused("its content filter stopped the answer")
  return { content: toBlocks(message), usage: toUsage(usage) } satisfies ModelReply
})

const toBlocks = (message: Message): ReadonlyArray<ContentBlock> => {
  const reasoning = message.reasoning_content ?? message.reasoning ?? ""
  const texts = typeof message.content === "string" ? [message.content] : textsOf(message.content ?? [])
  const words = texts.filter((text) => text.trim() !== "")
  return [
    ...(reasoning === "" ? [] : [{ type: "thinking", thinking: reasoning, signature: "" } as const]),
    ...words.map((text) => ({ text, type: "text" }) as const),
    ...(message.tool_calls ?? []).map(
      (call) =>
        ({
          id: call.id || `call_${randomUUID().replaceAll("-", "")}`,
          name: call.function.name,
          type: "tool_use",
          input: toInput(call.function.arguments ?? {})
        }) as const
    )
  ]
}

const textsOf = (parts: ReadonlyArray<Schema.Json>): ReadonlyArray<string> =>
  parts.flatMap((part) => (isText(part) ? [part.text] : []))

/** Arguments are JSON in a string, with some endpoints an object. What is not JSON stays text, so that the model is told. */
const toInput = (given: Schema.Json): Schema.Json => {
  if (typeof given !== "string") return given
  return given.trim() === "" ? {} : Option.getOrElse(decodeJson(given), () => given)
}

const toUsage = (usage: Answer["usage"]): ModelReply["usage"] => ({
  input: usage?.prompt_tokens ?? 0,
  output: usage?.completion_tokens ?? 0,
  cacheRead: usage?.prompt_tokens_details?.cached_tokens ?? 0,
  cacheWrite: usage?.cache_creation_input_tokens ?? 0
})
