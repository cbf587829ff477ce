import { isRecord } from "./httpServer.ts"
import { isJsonSchema } from "./jsonSchema.ts"
import {
  absent,
  array,
  at,
  choice,
  type Fields,
  invalid,
  matching,
  object,
  onlyKeys,
  optionalBoolean,
  optionalString,
  requiredChoice,
  requiredString
} from "./openaiShape.ts"

/** The rules for `tools` (functions only) and `tool_choice`: https://developers.openai.com/api/docs/guides/function-calling */

const maxTools = 128
const toolKeys = [
  "type",
  "name",
  "description",
  "parameters",
  "strict",
  "async",
  "allowed_callers",
  "defer_loading",
  "output_schema"
]

/** Checks the tools and returns their names. */
export const checkTools = (value: unknown): ReadonlyArray<string> => {
  if (absent(value)) return []
  const tools = array(value, "tools")
  if (tools.length > maxTools) {
    throw invalid(
      "tools",
      `Invalid 'tools': array too long. Expected an array with maximum length ${maxTools}, but got an array with ` +
        `length ${tools.length} instead.`,
      "array_above_max_length"
    )
  }
  const names = tools.map((entry, i) => checkTool(object(entry, at("tools", i)), at("tools", i)))
  const twice = names.find((name, i) => names.indexOf(name) !== i)
  if (twice !== undefined) throw invalid("tools", `Tool names must be unique. Found duplicate: '${twice}'.`)
  return names
}

const checkTool = (tool: Fields, path: string): string => {
  requiredChoice(tool, "type", path, ["function"])
  onlyKeys(tool, path, toolKeys)
  const name = requiredString(tool, "name", path, 64)
  matching(name, at(path, "name"), /^[a-zA-Z0-9_-]+$/)
  optionalString(tool, "description", path)
  optionalBoolean(tool, "strict", path)
  if (!absent(tool.parameters)) {
    checkParameters(object(tool.parameters, at(path, "parameters")), name, at(path, "parameters"), tool.strict === true)
  }
  return name
}

const topLevel = ["oneOf", "anyOf", "allOf", "enum", "not"]

const checkParameters = (schema: Fields, name: string, path: string, strict: boolean): void => {
  const refuse = (problem: string) =>
    invalid(path, `Invalid schema for function '${name}': ${problem}`, "invalid_function_parameters")
  if (schema.type !== "object") {
    const got = typeof schema.type === "string" ? schema.type : "None"
    throw refuse(`schema must be a JSON Schema of 'type: "object"', got 'type: "${got}"'.`)
  }
  if (topLevel.some((key) => key in schema)) {
    throw refuse("schema must have type 'object' and not have 'oneOf'/'anyOf'/'allOf'/'enum'/'not' at the top level.")
  }
  if (!isRecord(schema.properties)) throw refuse("In context=(), object schema missing properties.")
  if (!isJsonSchema(schema)) throw refuse("schema is not valid JSON Schema.")
  if (strict) checkStrict(schema, [], refuse)
}

/** https://developers.openai.com/api/docs/guides/structured-outputs#supported-schemas */
const checkStrict = (schema: unknown, context: ReadonlyArray<string>, refuse: (problem: string) => Error): void => {
  if (!isRecord(schema)) return
  const place = `In context=(${context.map((step) => `'${step}'`).join(", ")}${context.length === 1 ? "," : ""}), `
  const properties = isRecord(schema.properties) ? schema.properties : {}
  if (schema.type === "object") {
    if (schema.additionalProperties !== false) {
      throw refuse(`${place}'additionalProperties' is required to be supplied and to be false.`)
    }
    const required: ReadonlyArray<unknown> = Array.isArray(schema.required) ? schema.required : []
    const left = Object.keys(properties).find((key) => !required.includes(key))
    if (left !== undefined) {
      throw refuse(
        `${place}'required' is required to be supplied and to be an array including every key in properties. ` +
          `Missing '${left}'.`
      )
    }
  }
  for (const [key, inner] of Object.entries(properties)) checkStrict(inner, [...context, "properties", key], refuse)
  checkStrict(schema.items, [...context, "items"], refuse)
}

export const checkToolChoice = (value: unknown, names: ReadonlyArray<string>): void => {
  if (absent(value)) return
  if (typeof value === "string") {
    choice(value, "tool_choice", ["none", "auto", "required"])
    return
  }
  const forced = object(value, "tool_choice")
  requiredChoice(forced, "type", "tool_choice", ["function"])
  onlyKeys(forced, "tool_choice", ["type", "name"])
  if (!names.includes(requiredString(forced, "name", "tool_choice"))) {
    throw invalid("tool_choice", "Tool choice 'function' not found in 'tools' parameter.")
  }
}
