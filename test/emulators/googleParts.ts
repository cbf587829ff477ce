import { checkBlob } from "./googleMedia.ts"
import {
  absent,
  at,
  boolean,
  bytes,
  type Fields,
  invalid,
  list,
  message,
  oneOf,
  string,
  struct
} from "./googleShape.ts"

/** The shapes of contents and their parts, as the SDK's types and the API's .proto files have them. */

const dataFields = [
  ...["text", "inlineData", "fileData", "functionCall", "functionResponse", "executableCode", "codeExecutionResult"],
  ...["toolCall", "toolResponse"]
]
const partFields = [
  ...dataFields,
  ...["thought", "thoughtSignature", "videoMetadata", "partMetadata", "mediaResolution", "mediaProcessing"]
]

/** What is counted over the whole request. */
export interface Counted {
  images: number
}

/** Checks a Content; `where` is its name in the messages of the request's own checks. */
export const checkContent = (value: unknown, path: string, counted: Counted): Fields => {
  const content = message(value, path, ["role", "parts"])
  const role = string(content, "role", path)
  if (role !== "" && role !== "user" && role !== "model") throw invalid("Please use a valid role: user, model.")
  const parts = list(content, "parts", path)
  if (parts.length === 0) {
    throw invalid(`* GenerateContentRequest.${path}.parts: contents.parts must not be empty.\n`)
  }
  for (const [i, part] of parts.entries()) checkPart(part, at(at(path, "parts"), i), role, counted)
  return content
}

const checkPart = (value: unknown, path: string, role: string, counted: Counted): void => {
  const part = message(value, path, partFields)
  const data = oneOf(part, path, "data", dataFields)
  boolean(part, "thought", path)
  bytes(part, "thoughtSignature", path)
  if (data === undefined || (part.text === "" && absent(part.thoughtSignature))) {
    throw invalid(
      `* GenerateContentRequest.${path}.data: required oneof field 'data' must have one initialized field\n`
    )
  }
  if ((data === "functionResponse" && role === "model") || (data === "functionCall" && role !== "model")) {
    throw invalid(`Content with role '${role === "" ? "user" : role}' can't contain '${data}' part`)
  }
  checkers[data]?.(part, at(path, data), counted)
}

const checkers: Readonly<Record<string, (part: Fields, path: string, counted: Counted) => void>> = {
  text: (part, path) => {
    string(part, "text", path)
  },
  inlineData: (part, path, counted) => {
    const blob = message(part.inlineData, path, ["mimeType", "data"])
    if (checkBlob(blob, path, "prompt")) counted.images++
  },
  functionCall: (part, path) => {
    const call = message(part.functionCall, path, ["id", "name", "args"])
    string(call, "id", path)
    if (string(call, "name", path) === "") throw nameless(path)
    struct(call, "args", path)
  },
  functionResponse: (part, path, counted) => {
    const fields = ["id", "name", "response", "parts", "willContinue", "scheduling"]
    const response = message(part.functionResponse, path, fields)
    string(response, "id", path)
    if (string(response, "name", path) === "") throw nameless(path)
    if (struct(response, "response", path) === undefined) {
      throw invalid(`* GenerateContentRequest.${path}.response: The function response is required.\n`)
    }
    for (const [i, item] of list(response, "parts", path).entries()) {
      const here = at(at(path, "parts"), i)
      const inner = message(item, here, ["inlineData"])
      const blob = message(inner.inlineData, at(here, "inlineData"), ["mimeType", "data"])
      if (checkBlob(blob, at(here, "inlineData"), "response")) counted.images++
    }
  }
}

const nameless = (path: string) => invalid(`* GenerateContentRequest.${path}.name: Name cannot be empty.\n`)
