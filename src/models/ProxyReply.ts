import { Effect, Option, Schema } from "effect"
import type { ContentBlock } from "../domain/ContentBlock.ts"
import { boundedAnswer, textIn, tokensAt, unexpectedShape } from "./Answers.ts"
import type { ModelReply } from "./LanguageModel.ts"
import { OpenAIProblem } from "./OpenAIErrors.ts"
import { refused, toModelError } from "./ProxyErrors.ts"

const Absent = Schema.optionalKey(Schema.Json)
const absent = <S extends Schema.Top>(schema: S) => Schema.optionalKey(Schema.NullOr(schema))

/** A chat completion, as far as the endpoints agree on it: much of it may be missing, or of another type. */
const Answer = Schema.Struct({
  choices: Schema.NonEmptyArray(
    Schema.Struct({
      finish_reason: Absent,
      message: Schema.Struct({
        content: Absent,
        refusal: Absent,
        reasoning_content: Absent,
        reasoning: Absent,
        tool_calls: absent(
          Schema.Array(
            Schema.Struct({ id: Absent, function: absent(Schema.Struct({ name: Absent, arguments: Absent })) })
          )
        )
      })
    })
  ),
  usage: Absent
})
type Answer = typeof Answer.Type
type Message = Answer["choices"][0]["message"]

/** OpenRouter answers 200 with an error in it when the model's own provider failed; its `code` is a status. */
const Failure = Schema.Struct({ error: Schema.Struct({ message: Schema.String, code: Absent }) })

const decodeReply = Schema.decodeUnknownEffect(Answer)
const decodeFailure = Schema.decodeUnknownOption(Failure)
const isText = Schema.is(Schema.Struct({ type: Schema.Literal("text"), text: Schema.String }))

/** Keeps what is stored of an answer, and nothing that only some endpoint knows. */
export const toReply = Effect.fnUntraced(function* (given: unknown) {
  const answer = boundedAnswer(given)
  const failure = decodeFailure(answer)
  if (Option.isSome(failure)) {
    const { code, message } = failure.value.error
    const status = typeof code === "number" ? code : 502
    return yield* toModelError(new OpenAIProblem({ message, status, code: String(code ?? "") }))
  }
  const { choices, usage } = yield* Effect.mapError(decodeReply(answer), () =>
    unexpectedShape("The LLM proxy's", answer)
  )
  const [{ finish_reason, message }] = choices
  const refusal = textIn(message.refusal)
  if (refusal !== "") return yield* refused(refusal)
  if (finish_reason === "content_filter") return yield* refused("its content filter stopped the answer")
  return { content: toBlocks(message), usage: toUsage(usage) } satisfies ModelReply
})

const toBlocks = (message: Message): ReadonlyArray<ContentBlock> => {
  const reasoning = textIn(message.reasoning_content) || textIn(message.reasoning)
  return [
    ...(reasoning === "" ? [] : [{ type: "thinking", thinking: reasoning, signature: "" } as const]),
    ...textsOf(message.content)
      .filter((text) => text.trim() !== "")
      .map((text) => ({ text, type: "text" }) as const),
    ...(message.tool_calls ?? []).map(
      ({ function: call, id }) =>
        ({ id: textIn(id), name: textIn(call?.name), type: "tool_use", input: call?.arguments ?? {} }) as const
    )
  ]
}

const textsOf = (content: Schema.Json | undefined): ReadonlyArray<string> =>
  Array.isArray(content) ? content.flatMap((part) => (isText(part) ? [part.text] : [])) : [textIn(content)]

const toUsage = (usage: Schema.Json | undefined): ModelReply["usage"] => ({
  input: tokensAt(usage, "prompt_tokens"),
  output: tokensAt(usage, "completion_tokens"),
  cacheRead: tokensAt(usage, "prompt_tokens_details", "cached_tokens"),
  cacheWrite: tokensAt(usage, "cache_creation_input_tokens")
})
