import { createHash } from "node:crypto"
import { Predicate } from "effect"
import type { MessagesRequest } from "../test/emulators/anthropicRequest.ts"

/** What a series of requests costs at the vendor, by its published rules for tokens and for the prompt cache. */

export interface PromptCost {
  /** Tokens of all requests. */
  readonly sent: number
  /** Of those, read from the cache and written to it. */
  readonly read: number
  readonly written: number
  /** Tokens at the input price that cost as much: the vendor's factors applied. */
  readonly paid: number
}

/** Factors on the input price (platform.claude.com, models overview: Claude Opus 5.5, 5 minutes). */
const factors = { read: 0.2 / 4, written: 5 / 4 }

/** https://platform.claude.com/docs/en/build-with-claude/vision: width × height / 750. */
const screenshotTokens = Math.round((1280 * 960) / 750)

/** How many blocks before a breakpoint an earlier entry is looked for. */
const lookBack = 20

interface Part {
  readonly tokens: number
  readonly digest: string
  readonly isBreakpoint: boolean
}

const isPicture = (value: unknown): boolean => Predicate.hasProperty(value, "type") && value.type === "image"

/** Four characters a token, and a screenshot for each picture whatever its bytes are. */
const tokensOf = (block: unknown): number => {
  let pictures = 0
  const words = JSON.stringify(block, (key, value) => {
    if (key === "cache_control") return undefined
    if (!isPicture(value)) return value
    pictures++
    return null
  })
  return Math.ceil(words.length / 4) + pictures * screenshotTokens
}

const partsOf = (request: MessagesRequest): ReadonlyArray<Part> => {
  const asBlocks = (content: unknown): ReadonlyArray<unknown> => (Array.isArray(content) ? content : [content])
  const blocks = [
    ...(request.tools ?? []),
    ...asBlocks(request.system),
    ...request.messages.flatMap(({ content }) => asBlocks(content))
  ]
  const hash = createHash("sha1").update(request.model)
  return blocks.map((block) => {
    hash.update(JSON.stringify(block, (key, value) => (key === "cache_control" ? undefined : value)))
    return {
      tokens: tokensOf(block),
      digest: hash.copy().digest("base64"),
      isBreakpoint: Predicate.hasProperty(block, "cache_control")
    }
  })
}

/** Of requests that follow each other within the cache's life time. */
export const promptCost = (requests: ReadonlyArray<MessagesRequest>): PromptCost => {
  const cached = new Set<string>()
  let [sent, read, written] = [0, 0, 0]
  for (const request of requests) {
    const parts = partsOf(request)
    const upTo = (index: number) => parts.slice(0, index + 1).reduce((sum, { tokens }) => sum + tokens, 0)
    const marks = parts.flatMap(({ isBreakpoint }, index) => (isBreakpoint ? [index] : []))
    const hit = parts.findLastIndex(
      ({ digest }, index) => cached.has(digest) && marks.some((mark) => mark >= index && mark - index <= lookBack)
    )
    for (const mark of marks) cached.add(parts[mark]?.digest ?? "")
    const hitTokens = upTo(hit)
    sent += upTo(parts.length - 1)
    read += hitTokens
    written += Math.max(0, upTo(marks.at(-1) ?? -1) - hitTokens)
  }
  const fresh = sent - read - written
  return { sent, read, written, paid: Math.round(fresh + read * factors.read + written * factors.written) }
}
