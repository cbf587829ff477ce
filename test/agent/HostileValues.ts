import { Predicate } from "effect"

/** JSON texts that no honest sender writes in place of a value, by name: some have no counterpart in an encoder's output. */
export const hostileTexts: Readonly<Record<string, string>> = {
  null: "null",
  true: "true",
  "a negative number": "-1",
  "a fraction": "0.5",
  "a number above 2^31": "2147483648",
  "a number above 2^53": "1e300",
  Infinity: "1e999",
  "minus Infinity": "-1e999",
  "a number as text": '"5"',
  "no number as text": '"NaN"',
  "an empty text": '""',
  "NUL and a lone surrogate": '"a\\u0000b\\ud800"',
  "a key with NUL": '{"a\\u0000":{"__proto__":1}}',
  "a text of 3 MB": `"${"x".repeat(3_000_000)}"`,
  "an empty list": "[]",
  "an empty object": "{}",
  "an object that is no primitive value": '{"toString":null,"valueOf":null}',
  "a list of 30000": `[${"0,".repeat(29_999)}0]`,
  "JSON 100000 levels deep": `${"[".repeat(100_000)}${"]".repeat(100_000)}`,
  "a date that JavaScript has and PostgreSQL does not": '"+275760-09-13T00:00:00Z"',
  "a date of the year 0": '"0000-01-01T00:00:00Z"',
  "a date before our era": '"-005000-01-01T00:00:00Z"'
}

export type Path = ReadonlyArray<string | number>

/** Where the values of JSON data are, the whole included. */
export const pathsIn = (value: unknown): ReadonlyArray<Path> => {
  const inner: ReadonlyArray<readonly [string | number, unknown]> = Array.isArray(value)
    ? [...value.entries()]
    : Predicate.isObject(value)
      ? Object.entries(value)
      : []
  return [[], ...inner.flatMap(([key, item]) => pathsIn(item).map((path) => [key, ...path]))]
}

const mark = "(here)"

const marked = (value: unknown, [first, ...rest]: Path): unknown => {
  if (first === undefined) return mark
  if (Array.isArray(value)) return value.map((item, index) => (index === first ? marked(item, rest) : item))
  if (!Predicate.isObject(value)) return value
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [key, key === first ? marked(item, rest) : item])
  )
}

/** The JSON text of the data with the text in place of what is at the path. */
export const textWith = (value: unknown, path: Path, text: string): string =>
  JSON.stringify(marked(value, path)).replace(JSON.stringify(mark), () => text)
