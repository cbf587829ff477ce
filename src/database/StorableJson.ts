import { Predicate } from "effect"

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
