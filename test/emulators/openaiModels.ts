/** What differs between models: https://developers.openai.com/api/docs/models */

export interface ModelTraits {
  /** The values of reasoning.effort; empty for models that do not reason. */
  readonly efforts: ReadonlyArray<string>
  readonly maxOutput: number
  /** Takes prompt_cache_options, and counts the tokens that it writes to the cache. */
  readonly countsCacheWrites: boolean
}

/** 5.4 of gpt-5.4-mini, 0 for other names. */
const versionOf = (model: string): number => {
  const [, major = "0", minor = "0"] = /^gpt-(\d+)(?:\.(\d+))?/.exec(model) ?? []
  return Number(major) + Number(minor) / 10
}

const effortsOf = (model: string, version: number): ReadonlyArray<string> => {
  if (/^o\d/.test(model)) return ["low", "medium", "high"]
  if (version < 5 || /-chat-latest$/.test(model)) return []
  if (/^gpt-5(\.\d)?-pro/.test(model)) return version === 5 ? ["high"] : ["medium", "high", "xhigh"]
  const common = ["low", "medium", "high"]
  if (version === 5) return ["minimal", ...common]
  if (version === 5.1) return ["none", ...common]
  return version < 5.6 ? ["none", ...common, "xhigh"] : ["none", ...common, "xhigh", "max"]
}

export const traitsOf = (model: string): ModelTraits => {
  const version = versionOf(model)
  const efforts = effortsOf(model, version)
  return {
    efforts,
    maxOutput: version >= 5 ? 128_000 : efforts.length > 0 ? 100_000 : version === 4.1 ? 32_768 : 16_384,
    countsCacheWrites: version >= 5.6
  }
}

/** A model of GET /v1/models. */
export const modelInfo = (id: string) => ({
  id,
  object: "model",
  created: 1_790_000_000,
  owned_by: "system",
  shutdown_date: null
})

/** What an account sees: all kinds, not only those that chat. */
export const ordinaryModels: ReadonlyArray<string> = [
  "gpt-6.1-sol",
  "gpt-6-astra",
  "gpt-6.1-terra",
  "gpt-6-luna",
  "gpt-5.6-sol",
  "gpt-4.1-2025-04-14",
  "o3-2025-04-16",
  "computer-use-preview",
  "gpt-4o-audio-preview",
  "gpt-image-2",
  "gpt-realtime-2",
  "omni-moderation-latest",
  "text-embedding-3-small",
  "tts-1",
  "whisper-1"
]
