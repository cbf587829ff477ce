import { Effect, Option, Schema } from "effect"
import { type ContentBlock, text } from "../domain/ContentBlock.ts"
import { boundedAnswer, textIn, tokensAt, unexpectedShape } from "./Answers.ts"
import { type Attached, isFields, toExtra } from "./Attached.ts"
import type { ModelError, ModelReply } from "./LanguageModel.ts"
import { OpenAIProblem } from "./OpenAIErrors.ts"
import { refused, toModelError } from "./ProxyErrors.ts"

const Absent = Schema.optionalKey(Schema.Json)
const Fields = Schema.Record(Schema.String, Schema.Json)

/** A chat completion, as far as the endpoints agree on it: much of it may be missing, or of another type. */
const Answer = Schema.Struct({
  choices: Schema.NonEmptyArray(
    Schema.Struct({
      error: Absent,
      finish_reason: Absent,
      message: Schema.StructWithRest(
        Schema.Struct({ tool_calls: Schema.optionalKey(Schema.NullOr(Schema.Array(Fields))) }),
        [Fields]
      )
    })
  ),
  usage: Absent
})
type Choice = (typeof Answer.Type)["choices"][number]
type Fields = typeof Fields.Type

/** OpenRouter answers 200 with an error in it when the model's own provider failed; its `code` is a status. */
const Failure = Schema.Struct({ error: Schema.Struct({ message: Schema.String, code: Absent }) })

const decodeReply = Schema.decodeUnknownEffect(Answer)
const decodeFailure = Schema.decodeUnknownOption(Failure)
const isText = Schema.is(Schema.Struct({ type: Schema.Literal("text"), text: Schema.String }))

/** What is stored of an answer. Some gateways put the words and the calls of one answer into choices of their own. */
export const toReply = Effect.fnUntraced(function* (given: unknown) {
  const answer = boundedAnswer(given)
  if (Option.isSome(decodeFailure(answer))) return yield* failureIn(answer)
  const { choices, usage } = yield* Effect.mapError(decodeReply(answer), () =>
    unexpectedShape("The LLM proxy's", answer)
  )
  for (const { error, finish_reason, message } of choices) {
    if (finish_reason === "error" || isFields(error)) return yield* failureIn({ error })
    const refusal = textIn(message.refusal)
    if (refusal !== "") return yield* refused(refusal)
    if (finish_reason === "content_filter") return yield* refused("its content filter stopped the answer")
  }
  return { content: choices.flatMap(toBlocks), usage: toUsage(usage) } satisfies ModelReply
})

const failureIn = (given: unknown): ModelError => {
  const { code, message } = Option.match(decodeFailure(given), {
    onNone: () => ({ code: 502, message: "the model's provider failed" }),
    onSome: ({ error }) => error
  })
  const status = typeof code === "number" ? code : 502
  return toModelError(new OpenAIProblem({ message, status, code: String(code ?? "") }))
}

/** What endpoints attach to a message and want back as it was. */
const attachments = [
  "reasoning_content", // DeepSeek (api-docs.deepseek.com/guides/thinking_mode), Kimi, vLLM, LiteLLM
  "reasoning", // OpenRouter, Groq, Ollama
  "reasoning_details", // OpenRouter (openrouter.ai/docs/guides/best-practices/reasoning-tokens)
  "extra_content", // Google (ai.google.dev/gemini-api/docs/thought-signatures, "OpenAI compatibility")
  "thinking_blocks", // LiteLLM for Claude (docs.litellm.ai/docs/reasoning_content)
  "provider_specific_fields" // LiteLLM
]

const toBlocks = ({ message }: Choice): ReadonlyArray<ContentBlock> => [
  ...toThinking(message),
  ...textsOf(message.content)
    .filter((words) => words.trim() !== "")
    .map(text),
  ...(message.tool_calls ?? []).map(toCall)
]

/** A field that holds just the reasoning's words is kept as null, so that they are stored once. */
const toThinking = (message: Fields): ReadonlyArray<ContentBlock> => {
  const thinking = textIn(message.reasoning_content) || textIn(message.reasoning)
  const fields = attachments.flatMap((name) => {
    const value = message[name] ?? null
    return value === null ? [] : [[name, value === thinking && thinking !== "" ? null : value] as const]
  })
  return fields.length === 0
    ? []
    : [{ type: "thinking", ...toExtra(Object.fromEntries(fields)), thinking, signature: "" }]
}

const toCall = ({ id, index: _index, type: _type, function: called, ...others }: Fields): ContentBlock => {
  const { arguments: input = {}, name, ...inside } = isFields(called) ? called : {}
  const attached = { ...keptIn("call", others), ...keptIn("function", inside) }
  return { id: textIn(id), name: textIn(name), type: "tool_use", ...toExtra(attached), input }
}

const keptIn = (where: string, fields: Fields): Attached => {
  const given = Object.entries(fields).filter(([, value]) => value !== null)
  return given.length === 0 ? {} : { [where]: Object.fromEntries(given) }
}

const textsOf = (content: Schema.Json | undefined): ReadonlyArray<string> =>
  Array.isArray(content) ? content.flatMap((part) => (isText(part) ? [part.text] : [])) : [textIn(content)]

const toUsage = (usage: Schema.Json | undefined): ModelReply["usage"] => ({
  input: tokensAt(usage, "prompt_tokens"),
  output: tokensAt(usage, "completion_tokens"),
  cacheRead: tokensAt(usage, "prompt_tokens_details", "cached_tokens"),
  cacheWrite: tokensAt(usage, "cache_creation_input_tokens")
})
