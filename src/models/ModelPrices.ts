import type { TokenCounts } from "../domain/ModelCall.ts"

/** US dollars for a million tokens. */
interface Price {
  readonly input: number
  readonly output: number
  readonly cacheRead: number
  readonly cacheWrite: number
}

interface Tariff extends Price {
  /** Another price for the whole call when its input has more tokens than `above`. */
  readonly long?: Price & { readonly above: number }
}

const price = (input: number, output: number, cacheRead: number, cacheWrite: number): Price => ({
  input,
  output,
  cacheRead,
  cacheWrite
})

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

/**
 * Prices that the vendors published, as of November 2026: platform.claude.com/docs/en/models, developers.openai.com/api/docs/pricing,
 * ai.google.dev/gemini-api/docs/pricing (the prices from December 2026 and January 2027 on: what is asked until then is half of that).
 * A model that is not here has no known price; the cost of its calls is null.
 */
const tariffs: Readonly<Record<string, Tariff>> = {
  "claude-fable-5-1": price(10, 50, 1, 12.5),
  "claude-opus-5-5": price(4, 20, 0.2, 5),
  "claude-opus-5": price(5, 25, 0.5, 6.25),
  "claude-sonnet-5-5": price(2, 10, 0.2, 2.5),
  "claude-sonnet-5": price(2, 10, 0.2, 2.5),
  "claude-haiku-5-5": {
    ...price(0.1, 0.5, 0.01, 0.125),
    long: { above: 100_000, ...price(0.5, 2.5, 0.05, 0.625) }
  },
  "claude-haiku-4-5": price(1, 5, 0.1, 1.25),
  "gpt-6.1-sol": doubling(price(2, 10, 0.1, 2.5)),
  "gpt-6.1-terra": doubling(price(1, 5, 0.05, 1.25)),
  "gpt-6-sol": doubling(price(2, 10, 0.2, 2.5)),
  "gpt-6-luna": doubling(price(0.1, 0.5, 0.01, 0.125)),
  "gemini-4-argon": price(4, 20, 0.2, 0),
  "gemini-3.8-flash": price(1.5, 7.5, 0.15, 0)
}

/** Such as claude-haiku-4-5-20251001, or gpt-6-sol-2026-09-22. */
const withoutDate = (name: string): string => name.replace(/-\d{4}-?\d\d-?\d\d$/, "")

/** What a call costs in US dollars; null where the model's prices are not known. */
export const costOf = (model: string, tokens: TokenCounts): number | null => {
  const tariff = tariffs[withoutDate(model)]
  if (tariff === undefined) return null
  const { cacheRead, cacheWrite, input, output } =
    tariff.long !== undefined && tokens.input > tariff.long.above ? tariff.long : tariff
  const fresh = tokens.input - tokens.cacheRead - tokens.cacheWrite
  return (fresh * input + tokens.cacheRead * cacheRead + tokens.cacheWrite * cacheWrite + tokens.output * output) / 1e6
}
