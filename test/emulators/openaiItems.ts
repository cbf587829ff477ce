import type OpenAI from "openai"
import { checkFile, checkImage, checkImageCount } from "./openaiMedia.ts"
import {
  absent,
  array,
  at,
  type Fields,
  invalid,
  matching,
  missing,
  object,
  onlyKeys,
  optionalChoice,
  optionalId,
  requiredArray,
  requiredChoice,
  requiredString,
  wrongType
} from "./openaiShape.ts"
import { Rejection } from "./rejection.ts"

/** The shapes of input items, as the SDK's `ResponseInputItem` has them; of its kinds those that a client without hosted tools sends. */

/** What the SDK demands of reasoning items and the API does not: the id. */
export type InputItem =
  | OpenAI.Responses.EasyInputMessage
  | OpenAI.Responses.ResponseOutputMessage
  | OpenAI.Responses.ResponseFunctionToolCall
  | (OpenAI.Responses.ResponseInputItem.FunctionCallOutput & { readonly call_id: string })
  | (Omit<OpenAI.Responses.ResponseReasoningItem, "id"> & { readonly id?: string })

const inputParts = ["input_text", "input_image", "input_file"]
const outputParts = ["output_text", "refusal"]
const details = ["low", "high", "auto", "original"]
const statuses = ["in_progress", "completed", "incomplete"]

/** What is counted over the whole request. */
interface Counted {
  images: number
}

export function checkItems(items: ReadonlyArray<unknown>): asserts items is ReadonlyArray<InputItem> {
  const counted: Counted = { images: 0 }
  for (const [i, value] of items.entries()) {
    const path = at("input", i)
    const item = object(value, path)
    const type = absent(item.type) && "role" in item ? "message" : requiredString(item, "type", path)
    if (type === "item_reference") throw notStored(requiredString(item, "id", path))
    const check = checkers[type]
    if (check === undefined) requiredChoice(item, "type", path, Object.keys(checkers))
    else check(item, path, counted)
  }
  checkImageCount(counted.images)
}

const checkers: Readonly<Record<string, (item: Fields, path: string, counted: Counted) => void>> = {
  message: (item, path, counted) => {
    const role = requiredChoice(item, "role", path, ["assistant", "system", "developer", "user"])
    const own = role === "assistant" ? ["id", "status", "phase"] : ["status"]
    onlyKeys(item, path, ["type", "role", "content", ...own])
    if (role === "assistant") optionalId(item, path, "msg")
    optionalChoice(item, "status", path, statuses)
    optionalChoice(item, "phase", path, ["commentary", "final_answer"])
    if (item.content === undefined) throw missing(at(path, "content"))
    checkContent(item.content, at(path, "content"), role === "assistant" ? outputParts : inputParts, counted)
  },
  function_call: (item, path) => {
    onlyKeys(item, path, ["type", "id", "call_id", "name", "arguments", "status", "async", "caller", "namespace"])
    optionalId(item, path, "fc")
    checkCallId(item, path)
    matching(requiredString(item, "name", path, 128), at(path, "name"), /^[a-zA-Z0-9_-]+$/)
    requiredString(item, "arguments", path)
    optionalChoice(item, "status", path, statuses)
  },
  function_call_output: (item, path, counted) => {
    onlyKeys(item, path, ["type", "id", "call_id", "output", "status", "caller", "name", "namespace"])
    optionalId(item, path, "fc")
    checkCallId(item, path)
    optionalChoice(item, "status", path, statuses)
    if (item.output === undefined) throw missing(at(path, "output"))
    checkContent(item.output, at(path, "output"), inputParts, counted)
  },
  reasoning: (item, path) => {
    onlyKeys(item, path, ["type", "id", "summary", "content", "encrypted_content", "status"])
    optionalId(item, path, "rs")
    for (const [j, value] of requiredArray(item, "summary", path).entries()) {
      const here = at(at(path, "summary"), j)
      const part = object(value, here)
      requiredChoice(part, "type", here, ["summary_text"])
      requiredString(part, "text", here)
    }
    if (!absent(item.encrypted_content)) requiredString(item, "encrypted_content", path)
    else if (typeof item.id === "string") throw notStored(item.id)
    else throw missing(at(path, "id"))
  }
}

const checkCallId = (item: Fields, path: string): void => {
  if (requiredString(item, "call_id", path, 64) !== "") return
  throw invalid(
    at(path, "call_id"),
    `Invalid '${at(path, "call_id")}': empty string. Expected a string with minimum length 1, but got an empty string instead.`,
    "empty_string"
  )
}

/** An item that the API would have to remember. */
const notStored = (id: string): Rejection =>
  new Rejection(404, {
    type: "invalid_request_error",
    message:
      `Item with id '${id}' not found. Items are not persisted when \`store\` is set to false. Try again with \`store\` ` +
      "set to true, or remove this item from your input.",
    param: "input",
    code: null
  })

/** A string, or a list of parts of these types. */
const checkContent = (content: unknown, path: string, types: ReadonlyArray<string>, counted: Counted): void => {
  if (typeof content === "string") return
  if (!Array.isArray(content)) throw wrongType(path, "one of an array of objects or string", content)
  if (content.length === 0) {
    throw invalid(
      path,
      `Invalid '${path}': empty array. Expected an array with minimum length 1, but got an empty array instead.`,
      "empty_array"
    )
  }
  for (const [j, value] of array(content, path).entries()) {
    const here = at(path, j)
    const part = object(value, here)
    checkPart(part, requiredChoice(part, "type", here, types), here, counted)
  }
}

const checkPart = (part: Fields, type: string, path: string, counted: Counted): void => {
  const own = partKeys[type] ?? []
  onlyKeys(part, path, ["type", ...own, ...(type.startsWith("input_") ? ["prompt_cache_breakpoint"] : [])])
  optionalChoice(part, "detail", path, type === "input_file" ? ["low", "high", "auto"] : details)
  if (type === "input_image") {
    counted.images++
    checkImage(part, path)
  } else if (type === "input_file") checkFile(part, path)
  else requiredString(part, type === "refusal" ? "refusal" : "text", path)
}

const partKeys: Readonly<Record<string, ReadonlyArray<string>>> = {
  input_text: ["text"],
  input_image: ["image_url", "file_id", "detail"],
  input_file: ["file_data", "file_id", "file_url", "filename", "detail"],
  output_text: ["text", "annotations", "logprobs"],
  refusal: ["refusal"]
}
