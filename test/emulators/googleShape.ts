import { isRecord } from "./httpServer.ts"
import { Rejection } from "./rejection.ts"

/**
 * Google's APIs read JSON into protobuf messages: a field that the message does not have is refused, and so is a value of another type.
 * Paths are told in the names of the .proto file: contents[0].parts[1].inline_data. (The real one also takes fields by those names.)
 */

export type Fields = Readonly<Record<string, unknown>>

const statusNames: Readonly<Record<number, string>> = {
  400: "INVALID_ARGUMENT",
  401: "UNAUTHENTICATED",
  403: "PERMISSION_DENIED",
  404: "NOT_FOUND",
  429: "RESOURCE_EXHAUSTED",
  499: "CANCELLED",
  500: "INTERNAL",
  504: "DEADLINE_EXCEEDED"
}

/** The canonical name of an HTTP status, as google.rpc.Code has it. */
export const statusName = (status: number): string =>
  statusNames[status] ?? (status < 500 ? "FAILED_PRECONDITION" : "UNAVAILABLE")

export const rejection = (status: number, message: string, details?: ReadonlyArray<unknown>): Rejection =>
  new Rejection(status, { type: statusName(status), message, ...(details === undefined ? {} : { details }) })

/** A 400 INVALID_ARGUMENT. */
export const invalid = (message: string): Rejection => rejection(400, message)

const fieldViolation = (path: string, message: string): Rejection =>
  rejection(400, message, [
    {
      "@type": "type.googleapis.com/google.rpc.BadRequest",
      fieldViolations: [{ ...(path === "" ? {} : { field: path }), description: message }]
    }
  ])

const snake = (name: string): string => name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)

export const at = (path: string, key: string | number): string =>
  typeof key === "number" ? `${path}[${key}]` : path === "" ? snake(key) : `${path}.${snake(key)}`

const wrongType = (path: string, type: string, value: unknown): Rejection =>
  fieldViolation(path, `Invalid value at '${path}' (${type}), ${JSON.stringify(value)}`)

/** The message's fields, all of them known. */
export const message = (value: unknown, path: string, known: ReadonlyArray<string>): Fields => {
  if (!isRecord(value)) throw fieldViolation(path, `Invalid value at '${path}' (Message), ${JSON.stringify(value)}`)
  for (const key of Object.keys(value)) {
    if (known.includes(key)) continue
    const place = path === "" ? "" : ` at '${path}'`
    throw fieldViolation(path, `Invalid JSON payload received. Unknown name "${key}"${place}: Cannot find field.`)
  }
  return value
}

/** Absent; null stands for that in JSON. */
export const absent = (value: unknown): boolean => value === undefined || value === null

export const list = (fields: Fields, key: string, path: string): ReadonlyArray<unknown> => {
  const value = fields[key]
  if (absent(value)) return []
  if (!Array.isArray(value)) throw wrongType(at(path, key), "repeated", value)
  return value
}

/** "" where absent. */
export const string = (fields: Fields, key: string, path: string): string => {
  const value = fields[key]
  if (absent(value)) return ""
  if (typeof value !== "string") throw wrongType(at(path, key), "TYPE_STRING", value)
  return value
}

export const boolean = (fields: Fields, key: string, path: string): boolean => {
  const value = fields[key]
  if (absent(value)) return false
  if (typeof value !== "boolean") throw wrongType(at(path, key), "TYPE_BOOL", value)
  return value
}

export const integer = (fields: Fields, key: string, path: string): number | undefined => {
  const value = fields[key]
  if (absent(value)) return undefined
  if (typeof value !== "number" || !Number.isInteger(value)) throw wrongType(at(path, key), "TYPE_INT32", value)
  return value
}

/** A google.protobuf.Struct: any JSON object. */
export const struct = (fields: Fields, key: string, path: string): Fields | undefined => {
  const value = fields[key]
  if (absent(value)) return undefined
  if (!isRecord(value)) throw wrongType(at(path, key), "type.googleapis.com/google.protobuf.Struct", value)
  return value
}

export const choice = (fields: Fields, key: string, path: string, choices: ReadonlyArray<string>): string => {
  const value = string(fields, key, path)
  if (value !== "" && !choices.includes(value)) throw wrongType(at(path, key), "TYPE_ENUM", value)
  return value
}

/** Bytes from base64, either alphabet, with or without padding. */
export const bytes = (fields: Fields, key: string, path: string): Buffer => {
  const text = string(fields, key, path)
  if (!/^[A-Za-z0-9+/_-]*={0,2}$/.test(text)) {
    const here = at(path, key)
    throw fieldViolation(
      here,
      `Invalid value at '${here}' (TYPE_BYTES), Base64 decoding failed for "${text.slice(0, 40)}"`
    )
  }
  return Buffer.from(text, "base64")
}

/** The one field of the oneof `name` that is set. */
export const oneOf = (
  fields: Fields,
  path: string,
  name: string,
  choices: ReadonlyArray<string>
): string | undefined => {
  const [first, second] = choices.filter((key) => !absent(fields[key]))
  if (second === undefined) return first
  throw fieldViolation(
    path,
    `Invalid value at '${path}' (oneof), oneof field '${name}' is already set. Cannot set '${second}'`
  )
}
