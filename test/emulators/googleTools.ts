import { absent, at, choice, type Fields, invalid, list, message, rejection, string } from "./googleShape.ts"
import { isRecord } from "./httpServer.ts"
import { isJsonSchema } from "./jsonSchema.ts"

/** The rules for `tools` and `toolConfig`. */

const toolFields = ["functionDeclarations", "googleSearch", "codeExecution", "urlContext", "computerUse", "fileSearch"]
const declarationFields = [
  ...["name", "description", "parameters", "parametersJsonSchema", "response", "responseJsonSchema", "behavior"]
]
const maxDeclarations = 512

/** Checks the tools and returns the names of the functions. */
export const checkTools = (body: Fields): ReadonlyArray<string> => {
  const names: Array<string> = []
  for (const [i, value] of list(body, "tools", "").entries()) {
    const path = at("tools", i)
    const tool = message(value, path, toolFields)
    for (const [j, declaration] of list(tool, "functionDeclarations", path).entries()) {
      names.push(checkDeclaration(declaration, at(at(path, "functionDeclarations"), j)))
    }
  }
  const twice = names.find((name, i) => names.indexOf(name) !== i)
  if (twice !== undefined) throw invalid(`Duplicate function declaration found: ${twice}`)
  if (names.length > maxDeclarations) throw invalid("At most 512 function declarations can be specified.")
  return names
}

const checkDeclaration = (value: unknown, path: string): string => {
  const declaration = message(value, path, declarationFields)
  const name = string(declaration, "name", path)
  const where = `* GenerateContentRequest.${path}`
  if (!/^[A-Za-z_][A-Za-z0-9_.:-]{0,127}$/.test(name)) {
    throw invalid(
      `${where}.name: Invalid function name. Must start with a letter or an underscore. Must be alphameric (a-z, A-Z, ` +
        "0-9), underscores (_), dots (.), colons (:), or dashes (-), with a maximum length of 128.\n"
    )
  }
  string(declaration, "description", path)
  const { parameters, parametersJsonSchema } = declaration
  if (!absent(parameters) && !absent(parametersJsonSchema)) {
    throw invalid(`${where}: parameters and parameters_json_schema are mutually exclusive.\n`)
  }
  if (!absent(parameters))
    throw rejection(400, `${where}.parameters: this emulator reads parameters_json_schema only.\n`)
  if (!absent(parametersJsonSchema)) checkParameters(parametersJsonSchema, at(path, "parametersJsonSchema"))
  return name
}

const checkParameters = (schema: unknown, path: string): void => {
  const wrong = (problem: string) => invalid(`* GenerateContentRequest.${path}${problem}\n`)
  if (!isRecord(schema) || schema.type !== "object") throw wrong(": schema should be of type OBJECT.")
  if (!isRecord(schema.properties) || Object.keys(schema.properties).length === 0) {
    throw wrong(".properties: should be non-empty for OBJECT type")
  }
  if (!isJsonSchema(schema)) throw wrong(": schema is not valid.")
  const unknown = unknownKeyword(schema)
  if (unknown !== undefined) throw wrong(`: unsupported keyword "${unknown}"`)
}

const keywords = [
  ...["$id", "$defs", "$ref", "$anchor", "type", "format", "title", "description", "enum", "items", "prefixItems"],
  ...["minItems", "maxItems", "minimum", "maximum", "anyOf", "oneOf", "properties", "additionalProperties", "required"],
  "propertyOrdering"
]

/** A keyword beyond those that the SDK's types call supported. The real one may pass over it, which is no less wrong. */
const unknownKeyword = (schema: unknown): string | undefined => {
  if (!isRecord(schema)) return undefined
  const unknown = Object.keys(schema).find((key) => !keywords.includes(key))
  const inner = ["prefixItems", "anyOf", "oneOf"].flatMap((key) => (Array.isArray(schema[key]) ? schema[key] : []))
  const named = [schema.properties, schema.$defs].flatMap((group) => (isRecord(group) ? Object.values(group) : []))
  return unknown ?? [schema.items, schema.additionalProperties, ...inner, ...named].map(unknownKeyword).find(Boolean)
}

export const checkToolConfig = (body: Fields, names: ReadonlyArray<string>): void => {
  if (absent(body.toolConfig)) return
  const path = "tool_config"
  const config = message(body.toolConfig, path, ["functionCallingConfig", "retrievalConfig"])
  if (absent(config.functionCallingConfig)) return
  const here = at(path, "functionCallingConfig")
  const calling = message(config.functionCallingConfig, here, ["mode", "allowedFunctionNames"])
  const mode = choice(calling, "mode", here, ["AUTO", "ANY", "NONE", "VALIDATED"])
  if (names.length === 0) throw invalid("Function calling config is set without function_declarations.")
  const allowed = list(calling, "allowedFunctionNames", here)
  if (allowed.length > 0 && mode !== "ANY" && mode !== "VALIDATED") {
    throw invalid("allowed_function_names should only be set when the mode is ANY or VALIDATED.")
  }
  const unknown = allowed.find((name) => typeof name !== "string" || !names.includes(name))
  if (unknown !== undefined) {
    throw invalid(`allowed_function_names contains an entry that is not in function_declarations: ${String(unknown)}`)
  }
}
