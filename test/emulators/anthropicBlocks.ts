import { checkDocumentSource, checkImage, type SeenImage } from "./anthropicMedia.ts"
import {
  absent,
  at,
  dictionary,
  type Fields,
  invalid,
  list,
  matching,
  onlyKeys,
  optionalBoolean,
  optionalChoice,
  optionalString,
  requiredDictionary,
  requiredString,
  tagOf
} from "./anthropicShape.ts"

/** The shapes of content blocks, as the SDK's `…BlockParam` types have them. */

export interface Breakpoint {
  readonly path: string
  readonly ttl: "5m" | "1h"
}

/** What is counted over the whole request. */
export interface Counted {
  readonly images: Array<SeenImage>
  readonly breakpoints: Array<Breakpoint>
}

/** Where a block stands; each place takes other kinds. */
export type Place = "user" | "assistant" | "tool_result" | "system" | "document"

const placesOf: Readonly<Record<string, ReadonlyArray<Place>>> = {
  text: ["user", "assistant", "tool_result", "system", "document"],
  image: ["user", "tool_result", "document"],
  document: ["user", "tool_result"],
  search_result: ["user", "tool_result"],
  tool_result: ["user"],
  tool_use: ["assistant"],
  thinking: ["assistant"],
  redacted_thinking: ["assistant"],
  tool_reference: ["tool_result"]
}

const messageTags = Object.keys(placesOf).filter((tag) => tag !== "tool_reference")

const tagsFor = (place: Place): ReadonlyArray<string> =>
  place === "user" || place === "assistant"
    ? messageTags
    : Object.keys(placesOf).filter((tag) => placesOf[tag]?.includes(place) === true)

/** Checks one block. Throws a Rejection naming the path, e.g. `messages.0.content.0.document.name`. */
export const checkBlock = (value: unknown, path: string, place: Place, counted: Counted): void => {
  const block = dictionary(value, path)
  const tag = tagOf(block, path, tagsFor(place))
  if (placesOf[tag]?.includes(place) !== true) {
    const role = place === "user" ? "assistant" : "user"
    throw invalid(path, `\`${tag}\` blocks can only be in \`${role}\` messages`)
  }
  if (tag === "text" && place === "user" && !absent(block.citations)) {
    throw invalid(at(at(path, tag), "citations"), "Extra inputs are not permitted")
  }
  checkers[tag]?.(block, at(path, tag), counted)
}

const checkers: Readonly<Record<string, (block: Fields, path: string, counted: Counted) => void>> = {
  text: (block, path, counted) => {
    onlyKeys(block, path, ["type", "text", "cache_control", "citations"])
    requiredString(block, "text", path)
    if (!absent(block.citations)) list(block.citations, at(path, "citations"))
    checkCacheControl(block, path, counted)
  },
  image: (block, path, counted) => {
    onlyKeys(block, path, ["type", "source", "cache_control", "transformations"])
    counted.images.push(checkImage(block, path))
    checkCacheControl(block, path, counted)
  },
  document: (block, path, counted) => {
    onlyKeys(block, path, ["type", "source", "cache_control", "citations", "context", "title"])
    optionalString(block, "title", path)
    optionalString(block, "context", path)
    const source = requiredDictionary(block, "source", path)
    const tag = tagOf(source, at(path, "source"), ["base64", "text", "content", "url", "file"])
    const inside = at(at(path, "source"), tag)
    if (tag === "content") checkContent(source.content, at(inside, "content"), "document", counted)
    else checkDocumentSource(source, tag, inside)
    checkCacheControl(block, path, counted)
  },
  search_result: (block, path, counted) => {
    onlyKeys(block, path, ["type", "content", "source", "title", "cache_control", "citations"])
    requiredString(block, "source", path)
    requiredString(block, "title", path)
    checkContent(list(block.content, at(path, "content")), at(path, "content"), "system", counted)
    checkCacheControl(block, path, counted)
  },
  tool_use: (block, path, counted) => {
    onlyKeys(block, path, ["type", "id", "name", "input", "cache_control", "caller", "toolset_name"])
    matching(requiredString(block, "id", path), at(path, "id"), /^[a-zA-Z0-9_-]+$/)
    matching(requiredString(block, "name", path), at(path, "name"), /^[a-zA-Z0-9_-]{1,200}$/)
    requiredDictionary(block, "input", path)
    if (!absent(block.caller)) dictionary(block.caller, at(path, "caller"))
    checkCacheControl(block, path, counted)
  },
  tool_result: (block, path, counted) => {
    onlyKeys(block, path, ["type", "tool_use_id", "content", "is_error", "cache_control", "toolset_name"])
    matching(requiredString(block, "tool_use_id", path), at(path, "tool_use_id"), /^[a-zA-Z0-9_-]+$/)
    optionalBoolean(block, "is_error", path)
    if (!absent(block.content)) checkContent(block.content, at(path, "content"), "tool_result", counted)
    const blocks = Array.isArray(block.content) ? block.content : []
    if (block.is_error === true && blocks.some((inner) => dictionary(inner, path).type !== "text")) {
      throw invalid(path, "all content must be type `text` if `is_error` is true")
    }
    checkCacheControl(block, path, counted)
  },
  thinking: (block, path) => {
    onlyKeys(block, path, ["type", "thinking", "signature"])
    requiredString(block, "thinking", path)
    if (requiredString(block, "signature", path) === "") {
      throw invalid(at(path, "signature"), "Invalid `signature` in `thinking` block")
    }
  },
  redacted_thinking: (block, path) => {
    onlyKeys(block, path, ["type", "data"])
    requiredString(block, "data", path)
  },
  tool_reference: (block, path) => {
    onlyKeys(block, path, ["type", "tool_name", "cache_control"])
    requiredString(block, "tool_name", path)
  }
}

/** A string, or a list of blocks for that place. */
export const checkContent = (content: unknown, path: string, place: Place, counted: Counted): void => {
  if (typeof content === "string") return
  for (const [i, block] of list(content, path).entries()) checkBlock(block, at(path, i), place, counted)
}

/** Checks and counts a cache breakpoint. */
export const checkCacheControl = (owner: Fields, path: string, counted: Counted): void => {
  if (absent(owner.cache_control)) return
  const here = at(path, "cache_control")
  const control = dictionary(owner.cache_control, here)
  tagOf(control, here, ["ephemeral"])
  onlyKeys(control, at(here, "ephemeral"), ["type", "ttl"])
  optionalChoice(control, "ttl", at(here, "ephemeral"), ["5m", "1h"])
  counted.breakpoints.push({ path: here, ttl: control.ttl === "1h" ? "1h" : "5m" })
}
