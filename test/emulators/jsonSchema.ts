import { isRecord } from "./httpServer.ts"

type Fields = Readonly<Record<string, unknown>>

/**
 * Whether this is JSON Schema draft 2020-12, as far as draft 4 and hand-written schemas get it wrong; a `$ref` must lead somewhere in
 * the same schema.
 */
export const isJsonSchema = (schema: Fields): boolean => isSchemaIn(schema, schema)

const types = ["string", "number", "integer", "boolean", "object", "array", "null"]
const numbers = ["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minLength", "maxLength"]
const counts = ["minItems", "maxItems", "minProperties", "maxProperties"]

const isSchemaIn = (root: Fields, value: unknown): boolean => {
  if (typeof value === "boolean") return true
  if (!isRecord(value)) return false
  const has = (key: string, holds: (inner: unknown) => boolean) => value[key] === undefined || holds(value[key])
  const isSchema = (inner: unknown) => isSchemaIn(root, inner)
  const eachSchema = (inner: unknown) => isRecord(inner) && Object.values(inner).every(isSchema)
  const someSchemas = (inner: unknown) => Array.isArray(inner) && inner.length > 0 && inner.every(isSchema)
  const isType = (inner: unknown) => typeof inner === "string" && types.includes(inner)
  return (
    has("type", (type) => (Array.isArray(type) ? type.every(isType) : isType(type))) &&
    ["properties", "$defs", "definitions", "patternProperties"].every((key) => has(key, eachSchema)) &&
    ["items", "additionalProperties", "not", "contains"].every((key) => has(key, isSchema)) &&
    ["anyOf", "oneOf", "allOf", "prefixItems"].every((key) => has(key, someSchemas)) &&
    [...numbers, ...counts].every((key) => has(key, (inner) => typeof inner === "number")) &&
    has("required", (names) => Array.isArray(names) && names.every((name) => typeof name === "string")) &&
    has("enum", Array.isArray) &&
    has("$ref", (ref) => typeof ref === "string" && leadsTo(ref, root))
  )
}

const leadsTo = (ref: string, root: Fields): boolean => {
  if (!ref.startsWith("#")) return false
  const steps = ref.split("/").slice(1)
  let here: unknown = root
  for (const step of steps) {
    here = isRecord(here) ? here[decodeURIComponent(step).replaceAll("~1", "/").replaceAll("~0", "~")] : undefined
  }
  return here !== undefined
}
