import type { TokenCounts } from "../domain/ModelCall.ts"

/** US dollars for a million tokens. */
export interface Price {
  readonly input: number
  readonly output: number
  readonly cacheRead: number
  readonly cacheWrite: number
}

export interface Tariff extends Price {
  /** Another price for the whole call when its input has more tokens than `above`. */
  readonly long?: Price & { readonly above: number }
}

/** What a call costs in US dollars. */
export const costOf = (tariff: Tariff, tokens: TokenCounts): number => {
  const { cacheRead, cacheWrite, input, output } =
    tariff.long !== undefined && tokens.input > tariff.long.above ? tariff.long : tariff
  const fresh = tokens.input - tokens.cacheRead - tokens.cacheWrite
  return (fresh * input + tokens.cacheRead * cacheRead + tokens.cacheWrite * cacheWrite + tokens.output * output) / 1e6
}

/** `cacheRead` and `cacheWrite`: of tokens that the provider's prompt cache gives and takes. */
export const price = (input: number, output: number, cacheRead = input, cacheWrite = input): Price => ({
  input,
  output,
  cacheRead,
  cacheWrite
})
