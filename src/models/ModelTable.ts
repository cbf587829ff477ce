import type { Model, ModelProvider } from "../domain/Model.ts"
import { type Price, price, type Tariff } from "./ModelPrices.ts"

/**
 * What vendors publish of their models and their endpoints do not list, as of 2026-11-29. Names and which are on offer: the type definitions
 * of the vendors' SDKs (those not marked deprecated). Windows and prices: platform.claude.com/docs/en/models, developers.openai.com/api/docs/models
 * and …/pricing, ai.google.dev/gemini-api/docs/models and …/pricing (the prices from December 2026 and January 2027 on: what is asked until
 * then is half of that). What an endpoint lists wins.
 */
interface Row {
  readonly name: string
  /** Of models on offer without BYTEBOT_MODELS. */
  readonly title?: string
  readonly window?: number
  readonly tariff?: Tariff
}

/** OpenAI's long prompts cost twice the input and one and a half times the output. */
const doubling = (base: Price): Tariff => ({
  ...base,
  long: {
    above: 272_000,
    input: 2 * base.input,
    output: 1.5 * base.output,
    cacheRead: 2 * base.cacheRead,
    cacheWrite: 2 * base.cacheWrite
  }
})

const haiku: Tariff = {
  ...price(0.1, 0.5, 0.01, 0.125),
  long: { above: 100_000, ...price(0.5, 2.5, 0.05, 0.625) }
}

const anthropic: ReadonlyArray<Row> = [
  { name: "claude-opus-5-5", title: "Claude Opus 5.5", window: 1_000_000, tariff: price(4, 20, 0.2, 5) },
  { name: "claude-sonnet-5-5", title: "Claude Sonnet 5.5", window: 1_000_000, tariff: price(2, 10, 0.1, 2.5) },
  { name: "claude-haiku-5-5", title: "Claude Haiku 5.5", window: 1_000_000, tariff: haiku },
  { name: "claude-fable-5-1", tariff: price(10, 50, 0.25, 12.5) },
  { name: "claude-opus-5", tariff: price(5, 25, 0.5, 6.25) },
  { name: "claude-sonnet-5", tariff: price(2, 10, 0.2, 2.5) },
  { name: "claude-haiku-4-5", window: 200_000, tariff: price(1, 5, 0.1, 1.25) }
]

const openai: ReadonlyArray<Row> = [
  { name: "gpt-6.1-sol", title: "GPT-6.1 Sol", window: 1_050_000, tariff: doubling(price(2, 10, 0.1, 2.5)) },
  { name: "gpt-6-astra", title: "GPT-6 Astra", window: 1_050_000, tariff: doubling(price(10, 50, 1, 12.5)) },
  { name: "gpt-6.1-terra", title: "GPT-6.1 Terra", window: 1_050_000, tariff: doubling(price(1, 5, 0.05, 1.25)) },
  { name: "gpt-6-luna", title: "GPT-6 Luna", window: 1_050_000, tariff: doubling(price(0.1, 0.5, 0.01, 0.125)) },
  { name: "gpt-5.6-sol", title: "GPT-5.6 Sol", window: 1_050_000, tariff: doubling(price(4, 20, 0.4, 5)) },
  { name: "gpt-6-sol", tariff: doubling(price(2, 10, 0.2, 2.5)) }
]

/** Gemini's caches that it keeps by itself cost nothing to write. */
const google: ReadonlyArray<Row> = [
  { name: "gemini-4-argon", title: "Gemini 4 Argon", window: 1_048_576, tariff: price(4, 20, 0.2, 0) },
  { name: "gemini-3.8-flash", title: "Gemini 3.8 Flash", window: 1_048_576, tariff: price(1.5, 7.5, 0.15, 0) },
  { name: "gemini-3.5-flash-lite", title: "Gemini 3.5 Flash-Lite", window: 1_048_576, tariff: price(0.3, 2.5, 0.03, 0) }
]

const table: Readonly<Record<ModelProvider, ReadonlyArray<Row>>> = { anthropic, openai, google, proxy: [] }

/** Such as claude-haiku-4-5-20251001, or gpt-6-sol-2026-09-22. */
const withoutDate = (name: string): string => name.replace(/-\d{4}-?\d\d-?\d\d$/, "")

/** What is known of a model by its name; behind a proxy it may be any provider's. */
export const rowOf = (provider: string, name: string): Row | undefined => {
  const rows =
    provider === "proxy"
      ? Object.values(table).flat()
      : Object.entries(table).flatMap(([of, own]) => (of === provider ? own : []))
  const plain = withoutDate(provider === "proxy" ? (name.split("/").at(-1) ?? name) : name)
  return rows.find((row) => row.name === plain)
}

/** 5.4 of gpt-5.4-mini, also when it is fine-tuned; 0 for other names. */
export const versionOf = (name: string): number => {
  const [, major = "0", minor = "0"] = /^(?:ft:)?gpt-(\d+)(?:\.(\d+))?/.exec(name) ?? []
  return Number(`${major}.${minor}`)
}

/** The window of OpenAI's models, which no endpoint lists, by the version in their names: developers.openai.com/api/docs/models. */
export const openAIWindow = (name: string): number => {
  const version = versionOf(name)
  if (version >= 5.4) return /-(mini|nano)(-|$)/.test(name) ? 400_000 : 1_050_000
  if (version >= 5) return /-chat-latest$/.test(name) ? 128_000 : 400_000
  if (version >= 4.1) return 1_047_576
  return /^(?:ft:)?o\d/.test(name) ? 200_000 : 128_000
}

/** The models on offer before the provider's endpoint has listed its own. */
export const offered = (provider: ModelProvider): ReadonlyArray<Model> =>
  table[provider].flatMap(({ name, title, window }) =>
    title === undefined || window === undefined ? [] : [{ provider, name, title, contextWindow: window }]
  )
