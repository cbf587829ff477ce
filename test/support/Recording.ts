import { Predicate } from "effect"

/** Compares what happened with a recording in which ids and times are masked as `<uuid:name>` and `<iso>`. */

const iso = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/

/** Where `actual` differs from the recording, as paths with both values; empty when it matches. `ids` binds names to ids as they come. */
export const differences = (
  expected: unknown,
  actual: unknown,
  ids: Map<string, string>,
  path = "$"
): ReadonlyArray<string> => {
  const differs = [`${path}: expected ${JSON.stringify(expected)}, got ${JSON.stringify(actual)}`]
  if (expected === "<iso>") return typeof actual === "string" && iso.test(actual) ? [] : differs
  if (expected === "<text>") return typeof actual === "string" && actual.length > 0 ? [] : differs
  if (typeof expected === "string" && /^<uuid:[^>]+>$/.test(expected)) {
    if (typeof actual !== "string") return differs
    const bound = ids.get(expected)
    if (bound === undefined) ids.set(expected, actual)
    return bound === undefined || bound === actual ? [] : differs
  }
  if (Array.isArray(expected)) {
    if (!Array.isArray(actual) || actual.length !== expected.length) return differs
    return expected.flatMap((item, index) => differences(item, actual[index], ids, `${path}[${index}]`))
  }
  if (Predicate.isObject(expected)) {
    if (!Predicate.isObject(actual) || Array.isArray(actual)) return differs
    const other: Readonly<Record<PropertyKey, unknown>> = actual
    const own: Readonly<Record<PropertyKey, unknown>> = expected
    const keys = new Set([...Object.keys(own), ...Object.keys(other)])
    return [...keys].flatMap((key) => differences(own[key], other[key], ids, `${path}.${key}`))
  }
  return Object.is(expected, actual) ? [] : differs
}
