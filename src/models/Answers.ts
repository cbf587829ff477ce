import { randomUUID } from "node:crypto"
import { type Effect, Option, Predicate, Schema } from "effect"
import { boundedJson } from "../database/StorableJson.ts"
import { integerOf, shortened, toInteger } from "../domain/Bounds.ts"
import type { ContentBlock, ToolUseBlock } from "../domain/ContentBlock.ts"
import type { Model } from "../domain/Model.ts"
import { type Attached, attachedTo, inStoredOrder, toExtra } from "./Attached.ts"
import { type ListedModel, ModelError, type ModelReply } from "./LanguageModel.ts"
import type { Price } from "./ModelPrices.ts"
import { withoutKeys } from "./OpenAIErrors.ts"

/** Bounds of what a provider answers, the same for all providers. A provider may be any endpoint, so that no field of an answer is trusted. */

/** Of a whole answer. A list of models may have thousands of entries. */
const answerLimits = { depth: 64, values: 200_000 }

/** Of the input of one tool call; `characters` counts its JSON text. */
const inputLimits = { depth: 16, values: 20_000, characters: 2 * 1024 * 1024 }

/** Of a reply; `characters` counts its JSON text, other lengths are in characters. LiteLLM carries thought signatures in the ids of calls, so that these are long. */
const replyLimits = {
  characters: 16 * 1024 * 1024,
  blocks: 500,
  calls: 100,
  text: 1024 * 1024,
  reasoning: 8 * 1024 * 1024,
  id: 64 * 1024,
  name: 128
}

/** A provider's JSON within the bounds. Schemas recurse into JSON: one must not meet an answer before this has. */
export const boundedAnswer = (answer: unknown): Schema.Json => boundedJson(answer, answerLimits)

/** Decodes an answer within the bounds. */
export const decodeAnswer = <S extends Schema.Constraint & { readonly DecodingServices: never }>(
  schema: S
): ((answer: unknown) => Effect.Effect<S["Type"], Schema.SchemaError>) => {
  const decode = Schema.decodeUnknownEffect(schema)
  return (answer) => decode(boundedAnswer(answer))
}

/** Characters of an answer in an error: more than is shown of it once the service's own keys are taken out, as a part of one is not found. */
const quoted = 4_096

/** An answer that can't be read. `whose`: "OpenAI's". A text that is no web page came from a connection that broke off, and has no shape. */
export const unexpectedShape = (whose: string, answer: unknown): ModelError => {
  const json = boundedAnswer(answer)
  const shown = shortened(withoutKeys(typeof json === "string" ? json : JSON.stringify(json)), quoted)
  const kind = typeof json === "string" ? kindOf(json) : undefined
  const told = kind === undefined ? "has an unexpected shape" : `is ${kind}, and no JSON`
  return new ModelError({
    reason: "Unavailable",
    message: `${whose} answer ${told}: ${shown}`,
    ...(kind === undefined ? (typeof json === "string" ? {} : { shape: shapeOf(json, shown) }) : { shape: kind })
  })
}

const kindOf = (words: string): string | undefined => {
  return /^\s*<(!doctype|html|head|body)/i.test(words) ? "a web page (HTML)" : undefined
}

const shapeOf = (json: Schema.Json, shown: string): string =>
  Predicate.isObject(json) ? shortened(Object.keys(json).sort().join(), quoted) : shown

/** A count of tokens at a path of a provider's statistics; 0 where there is no number. Statistics never fail an answer. */
export const tokensAt = (usage: unknown, ...path: ReadonlyArray<string>): number =>
  integerOf(path.reduce<unknown>((inner, key) => (Predicate.isObject(inner) ? inner[key] : undefined), usage))

/** A text in a place where there should be one. */
export const textIn = (value: Schema.Json | undefined): string => (typeof value === "string" ? value : "")

const parseJson = Schema.decodeUnknownOption(Schema.fromJsonString(Schema.Unknown))

/** Models of open weights put their JSON between Markdown's fences. */
const withoutFence = (text: string): string => /^```(?:json)?\s*\n([\s\S]*?)\n?```$/.exec(text.trim())?.[1] ?? text

/**
 * The arguments of a call, which are JSON in a string; with some endpoints an object, or JSON in JSON. What is not JSON, or exceeds the
 * limits, stays text, so that the model is told.
 */
const toInput = (given: Schema.Json): Schema.Json => {
  if (typeof given !== "string") return boundedInput(given)
  if (given.trim() === "") return {}
  const parsed = Option.orElse(parseJson(given), () => parseJson(withoutFence(given)))
  const inner = Option.flatMap(Option.filter(parsed, Predicate.isString), parseJson)
  return boundedInput(
    Option.getOrElse(Option.filter(inner, Predicate.isObject), () => Option.getOrElse(parsed, () => given))
  )
}

const boundedInput = (given: unknown): Schema.Json => {
  const input = boundedJson(given ?? {}, inputLimits)
  const length = JSON.stringify(input).length
  return length > inputLimits.characters ? `(left out: ${length} characters of JSON)` : input
}

/** The reply within the bounds of what is stored: only blocks that a model may write, each with fields of a bounded length. */
export const boundedReply = ({ content, usage }: ModelReply): ModelReply => {
  const ids = new Set<string>()
  const kept = content.flatMap((block) => boundedBlock(block, ids)).slice(0, replyLimits.blocks)
  const sizes = kept.map((block) => JSON.stringify(block).length)
  const fitting = kept.filter((_, index) => sumOf(sizes.slice(0, index + 1)) <= replyLimits.characters)
  const input = toInteger(usage.input)
  const cacheRead = Math.min(input, toInteger(usage.cacheRead))
  const cacheWrite = Math.min(input - cacheRead, toInteger(usage.cacheWrite))
  return { content: fitting, usage: { input, output: toInteger(usage.output), cacheRead, cacheWrite } }
}

const sumOf = (sizes: ReadonlyArray<number>): number => sizes.reduce((sum, size) => sum + size, 0)

const boundedBlock = (block: ContentBlock, ids: Set<string>): ReadonlyArray<ContentBlock> => {
  switch (block.type) {
    case "text":
      return [{ text: shortened(block.text, replyLimits.text), type: "text" }]
    case "tool_use":
      return ids.size >= replyLimits.calls ? [] : [boundedCall(block, ids)]
    case "thinking":
      return lengthOf(block.thinking, block.signature, block.extra) > replyLimits.reasoning ? [] : [block]
    case "redacted_thinking":
      return block.data.length > replyLimits.reasoning ? [] : [block]
    default:
      return []
  }
}

const lengthOf = (...texts: ReadonlyArray<string | undefined>): number =>
  texts.reduce((sum, one) => sum + (one?.length ?? 0), 0)

/** Ids are unique in a reply, as each call is answered by its id. */
const boundedCall = (block: ToolUseBlock, ids: Set<string>): ToolUseBlock => {
  const { id, name } = block
  const isUsable = id !== "" && id.length <= replyLimits.id && !ids.has(id)
  const own = isUsable ? id : `call_${randomUUID().replaceAll("-", "")}`
  ids.add(own)
  const input = inStoredOrder(toInput(block.input))
  const attached = { ...attachedTo(block), ...asWritten(block.input, input) }
  return {
    id: own,
    name: shortened(name, replyLimits.name) || "unnamed",
    type: "tool_use",
    ...toExtra(attached),
    input
  }
}

/** The arguments as the model wrote them, where what is stored of them has another text. */
const asWritten = (given: Schema.Json, input: Schema.Json): Attached => {
  const written = typeof given === "string" ? given : JSON.stringify(given)
  const stored = JSON.stringify(input)
  const isSame = Option.exists(parseJson(written), (value) => {
    const json = boundedJson(value, inputLimits)
    return Predicate.isObject(json) && JSON.stringify(inStoredOrder(json)) === stored
  })
  return written !== stored && isSame ? { arguments: written } : {}
}

/** Of a list of models: its length, names in characters, and windows in tokens. */
const listLimits = { models: 1_000, name: 256, window: 100_000_000 }

/** A price is no price where it is negative, as OpenRouter has it for its router. */
const isPrice = ({ cacheRead, cacheWrite, input, output }: Price): boolean =>
  [input, output, cacheRead, cacheWrite].every((dollars) => Number.isFinite(dollars) && dollars >= 0)

/** Models that can be named; a window or a price that is none is left out. */
export const boundedModels = (models: ReadonlyArray<ListedModel>): ReadonlyArray<ListedModel> =>
  models
    .filter(({ name }) => name !== "" && name.length <= listLimits.name)
    .slice(0, listLimits.models)
    .map(({ contextWindow = 0, name, price, provider, title }) => ({
      provider,
      name,
      title: shortened(title, listLimits.name),
      contextWindow: contextWindow >= 1 ? Math.min(Math.floor(contextWindow), listLimits.window) : undefined,
      price: price !== undefined && isPrice(price) ? price : undefined
    }))

/** What is said of a window that is not known. */
const usualWindow = 128_000

/** The models as clients are shown them. */
export const shownModels = (models: ReadonlyArray<ListedModel>): ReadonlyArray<Model> =>
  models.map(({ contextWindow = usualWindow, name, provider, title }) => ({ provider, name, title, contextWindow }))
