import { type Counted, checkCacheControl } from "./anthropicBlocks.ts"
import {
  absent,
  at,
  dictionary,
  type Fields,
  invalid,
  list,
  matching,
  onlyKeys,
  optionalBoolean,
  optionalString,
  requiredChoice,
  requiredDictionary,
  requiredString,
  tagOf
} from "./anthropicShape.ts"
import { isJsonSchema } from "./jsonSchema.ts"

/** The rules for `tools` and `tool_choice`. Tools of the vendor's own types (`bash_20250124`, …) pass unchecked. */

const toolKeys = [
  "type",
  "name",
  "description",
  "input_schema",
  "cache_control",
  "allowed_callers",
  "defer_loading",
  "eager_input_streaming",
  "input_examples",
  "strict"
]

/** Checks the tools and returns their names. */
export const checkTools = (value: unknown, counted: Counted): ReadonlyArray<string> => {
  if (absent(value)) return []
  const names: Array<string> = []
  for (const [i, entry] of list(value, "tools").entries()) {
    const tool = dictionary(entry, at("tools", i))
    if (absent(tool.type) || tool.type === "custom") checkCustomTool(tool, at(at("tools", i), "custom"), counted)
    else checkCacheControl(tool, at("tools", i), counted)
    names.push(requiredString(tool, "name", at("tools", i)))
  }
  if (new Set(names).size !== names.length) throw invalid("tools", "Tool names must be unique.")
  return names
}

const checkCustomTool = (tool: Fields, path: string, counted: Counted): void => {
  onlyKeys(tool, path, toolKeys)
  const name = requiredString(tool, "name", path)
  if (name.length > 128) throw invalid(at(path, "name"), "String should have at most 128 characters")
  matching(name, at(path, "name"), /^[a-zA-Z0-9_-]{1,128}$/)
  optionalString(tool, "description", path)
  optionalBoolean(tool, "strict", path)
  const schema = requiredDictionary(tool, "input_schema", path)
  requiredChoice(schema, "type", at(path, "input_schema"), ["object"])
  if (["oneOf", "allOf", "anyOf"].some((key) => key in schema)) {
    throw invalid(at(path, "input_schema"), "input_schema does not support oneOf, allOf, or anyOf at the top level")
  }
  if (!isJsonSchema(schema)) {
    throw invalid(
      at(path, "input_schema"),
      "JSON schema is invalid. It must match JSON Schema draft 2020-12 (https://json-schema.org/draft/2020-12)."
    )
  }
  checkCacheControl(tool, path, counted)
}

/** Checks `tool_choice`; true when it forces a tool. */
export const checkToolChoice = (value: unknown, names: ReadonlyArray<string>): boolean => {
  if (absent(value)) return false
  const choice = dictionary(value, "tool_choice")
  const tag = tagOf(choice, "tool_choice", ["auto", "any", "tool", "none"])
  const path = at("tool_choice", tag)
  const keys =
    tag === "none" ? [] : tag === "tool" ? ["name", "disable_parallel_tool_use"] : ["disable_parallel_tool_use"]
  onlyKeys(choice, path, ["type", ...keys])
  optionalBoolean(choice, "disable_parallel_tool_use", path)
  if (names.length === 0) throw invalid("tool_choice", "may only be specified while providing tools")
  if (tag === "tool") {
    const name = requiredString(choice, "name", path)
    if (!names.includes(name)) throw invalid("", `Tool '${name}' not found in provided tools`)
  }
  return tag === "any" || tag === "tool"
}
