import { Predicate, type Schema } from "effect"
import type { ListedModel } from "./LanguageModel.ts"
import { type Price, price } from "./ModelPrices.ts"

/** What the lists of OpenAI-compatible endpoints say of their models; each endpoint says other things, and many nothing. */

const at = (value: unknown, path: ReadonlyArray<string>): unknown =>
  path.reduce<unknown>((inner, key) => (Predicate.isObject(inner) ? inner[key] : undefined), value)

/** A number, or a text of one. */
const numberAt = (value: unknown, ...path: ReadonlyArray<string>): number | undefined => {
  const found = at(value, path)
  const number = typeof found === "string" && found.trim() !== "" ? Number(found) : found
  return typeof number === "number" && Number.isFinite(number) ? number : undefined
}

/**
 * vLLM: `max_model_len`; OpenRouter: `context_length`; Groq: `context_window`; Mistral: `max_context_length`; llama.cpp: `meta.n_ctx` and
 * `meta.n_ctx_train`; LM Studio (/api/v0/models): `loaded_context_length`, else `max_context_length`.
 */
const windowOf = (entry: unknown): number | undefined =>
  numberAt(entry, "max_model_len") ??
  numberAt(entry, "loaded_context_length") ??
  numberAt(entry, "top_provider", "context_length") ??
  numberAt(entry, "context_length") ??
  numberAt(entry, "context_window") ??
  numberAt(entry, "max_context_length") ??
  numberAt(entry, "meta", "n_ctx") ??
  numberAt(entry, "meta", "n_ctx_train")

const million = 1_000_000

/** Dollars for a token become dollars for a million, without the noise of binary fractions. */
const perMillion = (dollars: number): number => Number((dollars * million).toPrecision(12))

const priceOf = (
  input: number | undefined,
  output: number | undefined,
  cacheRead: number | undefined,
  cacheWrite: number | undefined
): Price | undefined =>
  input === undefined || output === undefined
    ? undefined
    : price(perMillion(input), perMillion(output), perMillion(cacheRead ?? input), perMillion(cacheWrite ?? input))

/** OpenRouter says which models see pictures and take tools; others can't do our work. */
const isUsable = (entry: unknown): boolean => {
  const [inputs, parameters] = [at(entry, ["architecture", "input_modalities"]), at(entry, ["supported_parameters"])]
  const lacks = (list: unknown, what: string) => Array.isArray(list) && !list.includes(what)
  return !lacks(inputs, "image") && !lacks(parameters, "tools")
}

/** Of GET /models as OpenAI has it, with what OpenRouter and others add. */
export const fromOpenAIList = (data: ReadonlyArray<Schema.Json>): ReadonlyArray<ListedModel> =>
  data.filter(isUsable).flatMap((entry): ReadonlyArray<ListedModel> => {
    const [id, name] = [at(entry, ["id"]), at(entry, ["name"])]
    if (typeof id !== "string") return []
    const cost = (key: string) => numberAt(entry, "pricing", key)
    return [
      {
        provider: "proxy",
        name: id,
        title: typeof name === "string" && name !== "" ? name : id,
        contextWindow: windowOf(entry),
        price: priceOf(cost("prompt"), cost("completion"), cost("input_cache_read"), cost("input_cache_write"))
      }
    ]
  })

/** Of an entry of LiteLLM's GET /model/info: docs.litellm.ai/docs/proxy/model_management. */
export const fromLiteLLM = (name: string, title: string, info: Schema.Json | undefined): ListedModel => {
  const cost = (key: string) => numberAt(info, key)
  return {
    provider: "proxy",
    name,
    title,
    contextWindow: numberAt(info, "max_input_tokens"),
    price: priceOf(
      cost("input_cost_per_token"),
      cost("output_cost_per_token"),
      cost("cache_read_input_token_cost"),
      cost("cache_creation_input_token_cost")
    )
  }
}

/** Windows by model of LM Studio's GET /api/v0/models: lmstudio.ai/docs/developer/rest. */
export const windowsOfLMStudio = (data: ReadonlyArray<Schema.Json>): ReadonlyMap<string, number> =>
  windowsIn(data, "id", windowOf)

/** Windows of the models that Ollama has loaded (GET /api/ps), which are those that it serves: docs.ollama.com/api/ps. */
export const windowsOfOllama = (models: ReadonlyArray<Schema.Json>): ReadonlyMap<string, number> =>
  windowsIn(models, "model", (entry) => numberAt(entry, "context_length"))

/** The window of Ollama's POST /api/show: what the model file sets, else what the model was trained with. */
export const windowOfShown = (shown: unknown): number | undefined => {
  const parameters = at(shown, ["parameters"])
  const set = typeof parameters === "string" ? /^num_ctx\s+(\d+)/m.exec(parameters)?.[1] : undefined
  if (set !== undefined) return Number(set)
  const info = at(shown, ["model_info"])
  const key = Predicate.isObject(info) ? Object.keys(info).find((name) => name.endsWith(".context_length")) : undefined
  return key === undefined ? undefined : numberAt(info, key)
}

const windowsIn = (
  entries: ReadonlyArray<Schema.Json>,
  name: string,
  windowIn: (entry: unknown) => number | undefined
): ReadonlyMap<string, number> =>
  new Map(
    entries.flatMap((entry) => {
      const [key, window] = [at(entry, [name]), windowIn(entry)]
      return typeof key === "string" && window !== undefined ? [[key, window] as const] : []
    })
  )
