import { isRecord } from "./httpServer.ts"
import { Rejection } from "./rejection.ts"

/** Checks of single values, with the words the Messages API uses for them. Paths are dotted: messages.0.content.1. */

/** A 400 invalid_request_error about the value at `path` ("" for the request as a whole). */
export const invalid = (path: string, problem: string): Rejection =>
  new Rejection(400, { type: "invalid_request_error", message: path === "" ? problem : `${path}: ${problem}` })

export type Fields = Readonly<Record<string, unknown>>

export const at = (path: string, key: string | number): string => (path === "" ? String(key) : `${path}.${key}`)

export const dictionary = (value: unknown, path: string): Fields => {
  if (!isRecord(value)) throw invalid(path, "Input should be a valid dictionary")
  return value
}

export const list = (value: unknown, path: string): ReadonlyArray<unknown> => {
  if (!Array.isArray(value)) throw invalid(path, "Input should be a valid list")
  return value
}

/** Every key must be one of `known`: the API tolerates no others. */
export const onlyKeys = (fields: Fields, path: string, known: ReadonlyArray<string>): void => {
  for (const key of Object.keys(fields)) {
    if (!known.includes(key)) throw invalid(at(path, key), "Extra inputs are not permitted")
  }
}

/** Absent, or null where the API takes null for absent. */
export const absent = (value: unknown): boolean => value === undefined || value === null

const required = (fields: Fields, key: string, path: string): unknown => {
  if (fields[key] === undefined) throw invalid(at(path, key), "Field required")
  return fields[key]
}

export const requiredString = (fields: Fields, key: string, path: string): string => {
  const value = required(fields, key, path)
  if (typeof value !== "string") throw invalid(at(path, key), "Input should be a valid string")
  return value
}

export const optionalString = (fields: Fields, key: string, path: string): void => {
  if (!absent(fields[key])) requiredString(fields, key, path)
}

export const optionalBoolean = (fields: Fields, key: string, path: string): void => {
  if (!absent(fields[key]) && typeof fields[key] !== "boolean") {
    throw invalid(at(path, key), "Input should be a valid boolean")
  }
}

export const requiredInteger = (fields: Fields, key: string, path: string, least: number): number => {
  const value = required(fields, key, path)
  if (typeof value !== "number" || !Number.isInteger(value)) {
    throw invalid(at(path, key), "Input should be a valid integer")
  }
  if (value < least) throw invalid(at(path, key), `Input should be greater than or equal to ${least}`)
  return value
}

export const requiredList = (fields: Fields, key: string, path: string): ReadonlyArray<unknown> =>
  list(required(fields, key, path), at(path, key))

export const requiredDictionary = (fields: Fields, key: string, path: string): Fields =>
  dictionary(required(fields, key, path), at(path, key))

const quoted = (values: ReadonlyArray<string>): string => {
  const all = values.map((value) => `'${value}'`)
  return all.length > 1 ? `${all.slice(0, -1).join(", ")} or ${all.at(-1)}` : all.join("")
}

export const requiredChoice = (fields: Fields, key: string, path: string, choices: ReadonlyArray<string>): string => {
  const value = required(fields, key, path)
  if (typeof value !== "string" || !choices.includes(value)) {
    throw invalid(at(path, key), `Input should be ${quoted(choices)}`)
  }
  return value
}

export const optionalChoice = (fields: Fields, key: string, path: string, choices: ReadonlyArray<string>): void => {
  if (!absent(fields[key])) requiredChoice(fields, key, path, choices)
}

/** The `type` that decides which of several shapes a dictionary has. */
export const tagOf = (fields: Fields, path: string, tags: ReadonlyArray<string>): string => {
  const tag = fields.type
  if (tag === undefined) throw invalid(at(path, "type"), "Field required")
  if (typeof tag !== "string" || !tags.includes(tag)) {
    const expected = [...tags].sort().map((name) => `'${name}'`)
    throw invalid(
      path,
      `Input tag '${String(tag)}' found using 'type' does not match any of the expected tags: ${expected.join(", ")}`
    )
  }
  return tag
}

export const matching = (value: string, path: string, pattern: RegExp): void => {
  if (!pattern.test(value)) throw invalid(path, `String should match pattern '${pattern.source}'`)
}
