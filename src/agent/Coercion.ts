import { Option, Predicate, Schema } from "effect"

const decodeJson = Schema.decodeUnknownOption(Schema.fromJsonString(Schema.Unknown))

const isNumeric = (text: string): boolean => text.trim() !== "" && Number.isFinite(Number(text))

/**
 * The value with texts in place of what the JSON Schema wants instead: models of open weights write numbers, objects and lists as strings.
 * What still does not fit is left as it is.
 */
export const coerced = (schema: unknown, value: unknown): unknown => {
  if (!Predicate.isObject(schema)) return value
  if (typeof value === "string") {
    if (schema.type === "number" || schema.type === "integer") return isNumeric(value) ? Number(value) : value
    if (schema.type !== "object" && schema.type !== "array") return value
    const parsed = decodeJson(value)
    const isObject = Option.isSome(parsed) && Predicate.isObjectOrArray(parsed.value)
    return isObject ? coerced(schema, parsed.value) : value
  }
  if (Array.isArray(value)) return value.map((item) => coerced(schema.items, item))
  const { properties } = schema
  if (!Predicate.isObject(value) || !Predicate.isObject(properties)) return value
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, coerced(properties[key], item)]))
}
