import { hash } from "node:crypto"

/**
 * Prompt caching as far as a client can see it: the longest prefix (tools, instructions, items) that an earlier request with the same
 * model and prompt_cache_key began with, from 1024 tokens on, in steps of 128: https://developers.openai.com/api/docs/guides/prompt-caching
 */
const least = 1024
const step = 128

export interface PromptTokens {
  readonly input: number
  readonly cached: number
}

/** About four characters are a token; a picture has a fixed price here. */
const tokensOf = (json: string): number => {
  const pictures = json.match(/"data:image\/[^"]*"/g) ?? []
  return Math.ceil((json.length - pictures.join("").length) / 4) + 1000 * pictures.length
}

export class PromptCache {
  readonly #stored = new Set<string>()

  /** `key`: what must be equal; `parts`: the prompt from its beginning. The tokens of this prompt, and those of them that were in the cache; then stores the prompt. */
  read(key: ReadonlyArray<unknown>, parts: ReadonlyArray<unknown>): PromptTokens {
    let digest = hash("sha1", JSON.stringify(key), "base64")
    let total = 0
    let cached = 0
    for (const part of parts) {
      const json = JSON.stringify(part)
      digest = hash("sha1", `${digest} ${json}`, "base64")
      total += tokensOf(json)
      if (this.#stored.has(digest)) cached = total
      this.#stored.add(digest)
    }
    return { input: total, cached: cached < least ? 0 : cached - (cached % step) }
  }

  clear(): void {
    this.#stored.clear()
  }
}
