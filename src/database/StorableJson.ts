import { Predicate, type Schema } from "effect"

/** What PostgreSQL's jsonb and text refuse: NUL, and halves of surrogate pairs. */
const refused = /\\u(?:0000|d[89ab][0-9a-f]{2}|d[c-f][0-9a-f]{2})/i

/** The text with NUL and lone surrogates replaced by U+FFFD, so that PostgreSQL takes it. */
export const storableText = (text: string): string => text.toWellFormed().replaceAll("\0", "\uFFFD")

const clean = (value: unknown): unknown => {
  if (typeof value === "string") return storableText(value)
  if (Array.isArray(value)) return value.map(clean)
  if (Predicate.isObject(value)) {
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [storableText(key), clean(item)]))
  }
  return value
}

/** JSON text for a jsonb or json column; the value is JSON data. Costs one scan of the text when nothing is to be replaced. */
export const storableJson = (value: unknown): string => {
  const text = JSON.stringify(value)
  return refused.test(text) ? JSON.stringify(clean(value)) : text
}

/** How deep JSON is nested at most, and how many values it has, keys and lists included. */
export interface JsonLimits {
  readonly depth: number
  readonly values: number
}

/**
 * JSON data in the bounds: what is nested deeper becomes a text that says so, values beyond the count are left out. Texts and keys are made
 * storable; numbers that JSON lacks become null, and values that it lacks are left out.
 */
export const boundedJson = (value: unknown, limits: JsonLimits): Schema.Json => {
  let left = limits.values
  const bounded = (part: unknown, depth: number): Schema.Json | undefined => {
    left -= 1
    if (left < 0) return undefined
    if (typeof part === "string") return storableText(part)
    if (typeof part === "number") return Number.isFinite(part) ? part : null
    if (part === null || typeof part === "boolean") return part
    if (!Predicate.isObjectOrArray(part) || ArrayBuffer.isView(part)) return undefined
    if (depth === 0) return `(left out: nested more than ${limits.depth} levels deep)`
    if (Array.isArray(part)) {
      const items: Array<Schema.Json> = []
      for (const item of part) {
        if (left <= 0) break
        items.push(bounded(item, depth - 1) ?? null)
      }
      return items
    }
    const entries: Array<readonly [string, Schema.Json]> = []
    for (const [key, item] of Object.entries(part)) {
      if (left <= 0) break
      const kept = bounded(item, depth - 1)
      if (kept !== undefined) entries.push([storableText(key), kept])
    }
    return Object.fromEntries(entries)
  }
  return bounded(value, limits.depth) ?? null
}
