import { isRecord } from "./httpServer.ts"
import { Rejection } from "./rejection.ts"

/** Checks of single values, with the words the OpenAI API uses for them. Paths look like input[0].content[1].type. */

/** A 400 about the parameter at `param`; `code` as the API names the kind of mistake. */
export const invalid = (param: string | null, message: string, code: string | null = "invalid_value"): Rejection =>
  new Rejection(400, { type: "invalid_request_error", message, param, code })

export type Fields = Readonly<Record<string, unknown>>

export const at = (path: string, key: string | number): string =>
  typeof key === "number" ? `${path}[${key}]` : path === "" ? key : `${path}.${key}`

/** Absent, or null where the API takes null for absent. */
export const absent = (value: unknown): boolean => value === undefined || value === null

const kindOf = (value: unknown): string => {
  if (value === null) return "null"
  if (Array.isArray(value)) return "an array"
  if (typeof value === "number") return Number.isInteger(value) ? "an integer" : "a decimal number"
  return typeof value === "object" ? "an object" : `a ${typeof value}`
}

export const wrongType = (path: string, expected: string, value: unknown): Rejection =>
  invalid(path, `Invalid type for '${path}': expected ${expected}, but got ${kindOf(value)} instead.`, "invalid_type")

export const missing = (path: string): Rejection =>
  invalid(path, `Missing required parameter: '${path}'.`, "missing_required_parameter")

export const object = (value: unknown, path: string): Fields => {
  if (!isRecord(value)) throw wrongType(path, "an object", value)
  return value
}

export const array = (value: unknown, path: string): ReadonlyArray<unknown> => {
  if (!Array.isArray(value)) throw wrongType(path, "an array", value)
  return value
}

/** Every key must be one of `known`: the API tolerates no others. */
export const onlyKeys = (fields: Fields, path: string, known: ReadonlyArray<string>): void => {
  for (const key of Object.keys(fields)) {
    const here = at(path, key)
    if (!known.includes(key)) throw invalid(here, `Unknown parameter: '${here}'.`, "unknown_parameter")
  }
}

const required = (fields: Fields, key: string, path: string): unknown => {
  if (fields[key] === undefined) throw missing(at(path, key))
  return fields[key]
}

export const requiredString = (fields: Fields, key: string, path: string, maxLength = Number.MAX_VALUE): string => {
  const here = at(path, key)
  const value = required(fields, key, path)
  if (typeof value !== "string") throw wrongType(here, "a string", value)
  if (value.length > maxLength) {
    throw invalid(
      here,
      `Invalid '${here}': string too long. Expected a string with maximum length ${maxLength}, but got a string with ` +
        `length ${value.length} instead.`,
      "string_above_max_length"
    )
  }
  return value
}

export const optionalString = (fields: Fields, key: string, path: string, maxLength?: number): void => {
  if (!absent(fields[key])) requiredString(fields, key, path, maxLength)
}

export const optionalBoolean = (fields: Fields, key: string, path: string): void => {
  if (!absent(fields[key]) && typeof fields[key] !== "boolean") throw wrongType(at(path, key), "a boolean", fields[key])
}

export const optionalNumber = (fields: Fields, key: string, path: string): void => {
  if (!absent(fields[key]) && typeof fields[key] !== "number") throw wrongType(at(path, key), "a number", fields[key])
}

export const requiredArray = (fields: Fields, key: string, path: string): ReadonlyArray<unknown> =>
  array(required(fields, key, path), at(path, key))

const quoted = (values: ReadonlyArray<string>): string => {
  const all = values.map((value) => `'${value}'`)
  return all.length < 3 ? all.join(" and ") : `${all.slice(0, -1).join(", ")}, and ${all.at(-1)}`
}

/** The value, which must be one of `choices`. */
export const choice = (value: unknown, path: string, choices: ReadonlyArray<string>): string => {
  if (typeof value !== "string") throw wrongType(path, "a string", value)
  if (choices.includes(value)) return value
  throw invalid(path, `Invalid value: '${value}'. Supported values are: ${quoted(choices)}.`)
}

export const requiredChoice = (fields: Fields, key: string, path: string, choices: ReadonlyArray<string>): string =>
  choice(required(fields, key, path), at(path, key), choices)

export const optionalChoice = (fields: Fields, key: string, path: string, choices: ReadonlyArray<string>): void => {
  if (!absent(fields[key])) requiredChoice(fields, key, path, choices)
}

export const matching = (value: string, path: string, pattern: RegExp): void => {
  if (pattern.test(value)) return
  throw invalid(
    path,
    `Invalid '${path}': string does not match pattern. Expected a string that matches the pattern '${pattern.source}'.`
  )
}

/** The id of an item, which the API recognises by its beginning. */
export const optionalId = (fields: Fields, path: string, prefix: string): void => {
  if (absent(fields.id)) return
  const id = requiredString(fields, "id", path, 64)
  if (id.startsWith(prefix)) return
  throw invalid(at(path, "id"), `Invalid '${at(path, "id")}': '${id}'. Expected an ID that begins with '${prefix}'.`)
}
