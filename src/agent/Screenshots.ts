import {
  type ContentBlock,
  type ImageBlock,
  type TextBlock,
  type ToolResultContent,
  text
} from "../domain/ContentBlock.ts"
import type { Entry } from "../domain/Conversation.ts"

/** What stands for a picture that is not shown any more. One object, so that its digest is computed once. */
const omitted: TextBlock = text("(An earlier picture of the screen, left out.)")

/** How many pictures of the screen a conversation has shown, and how many of them are left out by now. */
export interface Shown {
  readonly total: number
  readonly omitted: number
}

export const nothingShown: Shown = { total: 0, omitted: 0 }

/**
 * How many of the oldest pictures to leave out so that at least `keep` stay: always a multiple of `block`. So the beginning of the
 * conversation changes once in a while and not with every picture, and the provider's prompt cache keeps hitting in between.
 */
const surplus = (total: number, keep: number, block: number): number =>
  Math.max(0, Math.floor((total - keep) / block) * block)

/**
 * Leaving pictures out rewrites the cache from there on, keeping them has them read with every request. At the vendors' prices
 * (a cache write costs 12 to 25 times a read) giving up three times as many as are kept is near the cheapest (bench/context.ts).
 */
const blocksOfKept = 3

/**
 * Leaves out old pictures of the screen (results of tools, and actions of the user; not what a person attached), but for the newest
 * `keep` to `4 * keep - 1`. Entries without a change stay the same objects.
 */
export const thinOut = (
  entries: ReadonlyArray<Entry>,
  shown: Shown,
  keep: number
): { readonly entries: ReadonlyArray<Entry>; readonly shown: Shown } => {
  const total = shown.omitted + countOf(entries)
  const target = surplus(total, keep, blocksOfKept * keep)
  if (target === shown.omitted) return { entries, shown: { total, omitted: target } }
  return { entries: without(entries, target - shown.omitted), shown: { total, omitted: target } }
}

/** Pictures of a request are given up in blocks, for the same reason; half of them stay where few are taken. */
const mediaBlock = (images: number): number => Math.max(1, Math.min(10, Math.floor(images / 2)))

/**
 * Leaves out pictures, oldest first, until the entries hold at most `limits.images` of them and `limits.bytes` of base64 data; then documents.
 * What a provider does not take at all would fail the task.
 */
export const withinLimits = (
  entries: ReadonlyArray<Entry>,
  limits: { readonly images: number; readonly bytes: number }
): ReadonlyArray<Entry> => {
  const sizes = entries.flatMap((entry) => entry.content.flatMap(picturesIn)).map(({ source }) => source.data.length)
  const documents = entries.flatMap((entry) => entry.content.flatMap(documentsIn))
  let bytes = sizes.reduce((sum, size) => sum + size, 0) + documents.reduce((sum, size) => sum + size, 0)
  const block = mediaBlock(limits.images)
  let drop = 0
  while (drop < sizes.length && (sizes.length - drop > limits.images || bytes > limits.bytes)) {
    bytes -= sizes[drop] ?? 0
    drop++
  }
  const fewer = drop === 0 ? entries : without(entries, Math.min(sizes.length, Math.ceil(drop / block) * block))
  return bytes <= limits.bytes ? fewer : withoutDocuments(fewer, bytes - limits.bytes)
}

const picturesIn = (block: ContentBlock): ReadonlyArray<ImageBlock> =>
  block.type === "tool_result" || block.type === "user_action"
    ? block.content.flatMap((item) => (item.type === "image" ? [item] : []))
    : []

const documentsIn = (block: ContentBlock): ReadonlyArray<number> =>
  block.type === "tool_result"
    ? block.content.flatMap((item) => (item.type === "document" ? [item.source.data.length] : []))
    : []

const countOf = (entries: ReadonlyArray<Entry>): number =>
  entries.reduce((sum, entry) => sum + entry.content.reduce((count, block) => count + picturesIn(block).length, 0), 0)

/** The entries with their `count` oldest pictures left out. */
const without = (entries: ReadonlyArray<Entry>, count: number): ReadonlyArray<Entry> => {
  let left = count
  const isGivenUp = (item: { readonly type: string }): boolean => {
    if (left === 0 || item.type !== "image") return false
    left--
    return true
  }
  const reduce = (block: ContentBlock): ContentBlock => {
    if (block.type === "tool_result") {
      return { ...block, content: block.content.map((item) => (isGivenUp(item) ? omitted : item)) }
    }
    if (block.type !== "user_action") return block
    return { ...block, content: block.content.filter((item) => !isGivenUp(item)) }
  }
  return entries.map((entry) =>
    left === 0 || !entry.content.some((block) => picturesIn(block).length > 0)
      ? entry
      : { ...entry, content: entry.content.map(reduce) }
  )
}

/** The entries without their oldest documents, until those make up for `bytes`. */
const withoutDocuments = (entries: ReadonlyArray<Entry>, bytes: number): ReadonlyArray<Entry> => {
  let left = bytes
  const replace = (item: ToolResultContent): ToolResultContent => {
    if (left <= 0 || item.type !== "document") return item
    left -= item.source.data.length
    return text(`(The document ${item.name ?? "read before"} is too large to be shown with the rest.)`)
  }
  return entries.map((entry) => ({
    ...entry,
    content: entry.content.map((block) =>
      block.type === "tool_result" ? { ...block, content: block.content.map(replace) } : block
    )
  }))
}
