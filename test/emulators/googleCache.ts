import { createHash } from "node:crypto"
import type { GenerateContentRequest } from "./googleRequest.ts"

/**
 * Implicit caching (https://ai.google.dev/gemini-api/docs/caching): what a request has in common with an earlier one of the same model, from
 * the beginning on, is read from the cache. The smallest size that is cached does not matter to a test and is left out.
 */
export type CacheRead = "contents" | "tools" | "system" | null

export class ImplicitCache {
  readonly #seen = new Set<string>()

  /** The last part of this request that an earlier one began with; remembers this request. */
  read(request: GenerateContentRequest, model: string): CacheRead {
    const hash = createHash("sha1").update(model)
    const prefixes = [
      ["system", request.systemInstruction ?? null] as const,
      ["tools", request.tools ?? []] as const,
      ...request.contents.map((content) => ["contents", content] as const)
    ].map(([part, value]) => {
      hash.update(`${part} ${JSON.stringify(value)}\n`)
      return { part, digest: hash.copy().digest("base64") }
    })
    const found = prefixes.findLast(({ digest }) => this.#seen.has(digest))
    for (const { digest } of prefixes) this.#seen.add(digest)
    return found?.part ?? null
  }

  clear(): void {
    this.#seen.clear()
  }
}
