import type OpenAI from "openai"
import { checkItems, type InputItem } from "./openaiItems.ts"
import { type ModelTraits, traitsOf } from "./openaiModels.ts"
import { checkOrder } from "./openaiOrder.ts"
import {
  absent,
  array,
  at,
  choice,
  type Fields,
  invalid,
  object,
  onlyKeys,
  optionalBoolean,
  optionalChoice,
  optionalNumber,
  optionalString,
  requiredString,
  wrongType
} from "./openaiShape.ts"
import { checkToolChoice, checkTools } from "./openaiTools.ts"
import { Rejection } from "./rejection.ts"

/** The body of POST /v1/responses, once it has passed. */
export type ResponsesRequest = Omit<OpenAI.Responses.ResponseCreateParams, "input" | "model"> & {
  readonly model: string
  readonly input: string | ReadonlyArray<InputItem>
}

const bodyKeys = [
  "access_programs",
  "background",
  "context_management",
  "conversation",
  "image",
  "include",
  "input",
  "instructions",
  "max_output_tokens",
  "max_tool_calls",
  "metadata",
  "model",
  "moderation",
  "parallel_tool_calls",
  "previous_response_id",
  "prompt",
  "prompt_cache_key",
  "prompt_cache_options",
  "prompt_cache_retention",
  "reasoning",
  "safety_identifier",
  "service_tier",
  "store",
  "stream",
  "stream_options",
  "temperature",
  "text",
  "tool_choice",
  "tools",
  "top_logprobs",
  "top_p",
  "truncation",
  "user"
]

const includables = [
  "code_interpreter_call.outputs",
  "computer_call_output.output.image_url",
  "file_search_call.results",
  "message.input_image.image_url",
  "message.output_text.logprobs",
  "reasoning.encrypted_content",
  "web_search_call.action.sources"
]

const encryptedReasoning = "reasoning.encrypted_content"

/** Throws the Rejection with which the Responses API would answer this body; returns when the API would take it. */
export function checkResponsesRequest(value: unknown): asserts value is ResponsesRequest {
  const body = object(value, "body")
  onlyKeys(body, "", bodyKeys)
  const model = requiredString(body, "model", "")
  const traits = traitsOf(model)
  for (const key of ["background", "parallel_tool_calls", "store"]) optionalBoolean(body, key, "")
  for (const key of ["instructions", "safety_identifier", "user"]) optionalString(body, key, "")
  optionalString(body, "prompt_cache_key", "", 64)
  optionalChoice(body, "truncation", "", ["auto", "disabled"])
  checkState(body)
  checkToolChoice(body.tool_choice, checkTools(body.tools))
  checkTokens(body, traits)
  checkSampling(body, traits)
  checkReasoningOptions(body, model, traits)
  checkInclude(body, traits)
  checkInput(body, traits)
}

/** What the API would have to remember of earlier calls. */
const checkState = (body: Fields): void => {
  if (!absent(body.conversation)) throw invalid("conversation", "Conversations are not part of this emulator.")
  if (absent(body.previous_response_id)) return
  const id = requiredString(body, "previous_response_id", "")
  throw new Rejection(400, {
    type: "invalid_request_error",
    message: `Previous response with id '${id}' not found.`,
    param: "previous_response_id",
    code: "previous_response_not_found"
  })
}

const checkTokens = (body: Fields, { maxOutput }: ModelTraits): void => {
  const value = body.max_output_tokens
  if (absent(value)) return
  if (typeof value !== "number" || !Number.isInteger(value)) throw wrongType("max_output_tokens", "an integer", value)
  if (value < 16) {
    throw invalid(
      "max_output_tokens",
      `Invalid 'max_output_tokens': integer below minimum value. Expected a value >= 16, but got ${value} instead.`,
      "integer_below_min_value"
    )
  }
  if (value > maxOutput) {
    throw invalid(
      "max_output_tokens",
      `max_output_tokens is too large: ${value}. This model supports at most ${maxOutput} completion tokens, whereas you ` +
        `provided ${value}.`
    )
  }
}

const unsupported = (param: string) =>
  invalid(param, `Unsupported parameter: '${param}' is not supported with this model.`, "unsupported_parameter")

const checkSampling = (body: Fields, { countsCacheWrites, efforts }: ModelTraits): void => {
  for (const key of ["temperature", "top_p"]) {
    optionalNumber(body, key, "")
    if (!absent(body[key]) && efforts.length > 0) throw unsupported(key)
  }
  if (!absent(body.prompt_cache_options) && !countsCacheWrites) throw unsupported("prompt_cache_options")
}

const checkReasoningOptions = (body: Fields, model: string, { efforts }: ModelTraits): void => {
  if (absent(body.reasoning)) return
  const reasoning = object(body.reasoning, "reasoning")
  onlyKeys(reasoning, "reasoning", ["context", "effort", "generate_summary", "mode", "summary"])
  for (const key of Object.keys(reasoning)) {
    if (efforts.length === 0 && !absent(reasoning[key])) throw unsupported(at("reasoning", key))
  }
  optionalChoice(reasoning, "summary", "reasoning", ["concise", "detailed", "auto"])
  const { effort } = reasoning
  if (absent(effort) || efforts.some((one) => one === effort)) return
  requiredString(reasoning, "effort", "reasoning")
  throw invalid(
    "reasoning.effort",
    `Unsupported value: '${String(effort)}' is not supported with the '${model}' model. Supported values are: ` +
      `${efforts.map((one) => `'${one}'`).join(", ")}.`,
    "unsupported_value"
  )
}

const checkInclude = (body: Fields, { efforts }: ModelTraits): void => {
  if (absent(body.include)) return
  const include = array(body.include, "include")
  for (const [i, entry] of include.entries()) choice(entry, at("include", i), includables)
  if (include.includes(encryptedReasoning) && efforts.length === 0) {
    throw invalid("include", "Encrypted content is not supported with this model.", null)
  }
}

/** Whether the answer's reasoning items are to carry their encrypted content. */
export const wantsReasoning = ({ include }: ResponsesRequest): boolean => include?.includes(encryptedReasoning) === true

const checkInput = (body: Fields, { efforts }: ModelTraits): void => {
  const { input } = body
  if (absent(input) || (Array.isArray(input) && input.length === 0)) {
    throw invalid(
      "input",
      "One of 'input' or 'previous_response_id' or 'prompt' or 'conversation' must be provided.",
      "missing_required_parameter"
    )
  }
  if (typeof input === "string") return
  if (!Array.isArray(input)) throw wrongType("input", "one of a string or array of input items", input)
  checkItems(input)
  if (efforts.length === 0 && input.some(({ type }) => type === "reasoning")) {
    throw invalid(
      "input",
      "Reasoning input items can only be provided to a reasoning or computer use model. Remove reasoning items from your " +
        "input and try again.",
      null
    )
  }
  checkOrder(input)
}

/** All text of the first user message. */
export const firstUserText = ({ input }: ResponsesRequest): string => {
  if (typeof input === "string") return input
  const message = input.find((item) => "role" in item && item.role === "user")
  if (message === undefined || !("content" in message)) return ""
  if (typeof message.content === "string") return message.content
  return (message.content ?? []).flatMap((part) => (part.type === "input_text" ? [part.text] : [])).join("\n")
}

export const hasTool = ({ tools }: ResponsesRequest, name: string): boolean =>
  tools?.some((tool) => tool.type === "function" && tool.name === name) === true
