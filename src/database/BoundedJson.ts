import { Predicate, type Schema } from "effect"
import { storableText } from "./StorableJson.ts"

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
