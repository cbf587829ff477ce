import { createHash } from "node:crypto"
import type { CacheRead } from "./anthropicReplies.ts"
import type { MessagesRequest } from "./anthropicRequest.ts"
import { isRecord } from "./httpServer.ts"

/**
 * Prompt caching as far as a test can see it: a prefix (tools, then system, then messages) that ended at a breakpoint
 * of an earlier request is read from the cache when a later request starts with the same and has a breakpoint at most
 * 20 blocks further on. https://platform.claude.com/docs/en/build-with-claude/prompt-caching
 */
const lookBack = 20

type Part = Exclude<CacheRead, null>

const asBlocks = (content: unknown): ReadonlyArray<unknown> =>
  content === undefined ? [] : Array.isArray(content) ? content : [{ type: "text", text: content }]

const plain = (block: unknown): { readonly json: string; readonly marked: boolean } => {
  if (!isRecord(block)) return { json: JSON.stringify(block), marked: false }
  const { cache_control, ...rest } = block
  return { json: JSON.stringify(rest), marked: cache_control !== undefined && cache_control !== null }
}

export class PromptCache {
  readonly #stored = new Set<string>()

  /** The last part of this request that an earlier one had put into the cache; then stores this request's prefixes. */
  read(request: MessagesRequest): CacheRead {
    const parts: ReadonlyArray<readonly [Part, string, unknown]> = [
      ...asBlocks(request.tools).map((tool) => ["tools", "", tool] as const),
      ...asBlocks(request.system).map((block) => ["system", "", block] as const),
      ...request.messages.flatMap(({ role, content }) =>
        asBlocks(content).map((block) => ["messages", role, block] as const)
      )
    ]
    const hash = createHash("sha1").update(request.model)
    const prefixes = parts.map(([part, role, block]) => {
      const { json, marked } = plain(block)
      hash.update(`${part} ${role} ${json}\n`)
      return { part, marked, digest: hash.copy().digest("base64") }
    })
    const marks = prefixes.flatMap(({ marked }, i) => (marked ? [i] : []))
    const found = prefixes.findLast(
      ({ digest }, i) => this.#stored.has(digest) && marks.some((mark) => mark >= i && mark - i <= lookBack)
    )
    for (const mark of marks) this.#stored.add(prefixes[mark]?.digest ?? "")
    return found?.part ?? null
  }

  clear(): void {
    this.#stored.clear()
  }
}
