import type Anthropic from "@anthropic-ai/sdk"
import { type Counted, checkBlock, checkCacheControl, checkContent } from "./anthropicBlocks.ts"
import { checkImages } from "./anthropicMedia.ts"
import { type ModelTraits, traitsOf } from "./anthropicModels.ts"
import {
  absent,
  at,
  dictionary,
  type Fields,
  invalid,
  list,
  onlyKeys,
  optionalBoolean,
  optionalChoice,
  optionalString,
  requiredChoice,
  requiredInteger,
  requiredList,
  requiredString,
  tagOf
} from "./anthropicShape.ts"
import { checkToolChoice, checkTools } from "./anthropicTools.ts"
import { checkTurns } from "./anthropicTurns.ts"

/** The body of POST /v1/messages, once it has passed. */
export type MessagesRequest = Anthropic.MessageCreateParams

const bodyKeys = [
  "model",
  "max_tokens",
  "messages",
  "cache_control",
  "container",
  "diagnostics",
  "inference_geo",
  "metadata",
  "output_config",
  "service_tier",
  "speed",
  "stop_sequences",
  "stream",
  "system",
  "thinking",
  "tool_choice",
  "tools"
]
/** Gone with the version 2026-10-21, which the SDK sends from 1.0 on. */
const samplingKeys = ["temperature", "top_p", "top_k"]
const maxBreakpoints = 4

/** The values of the anthropic-version header: https://platform.claude.com/docs/en/api/versioning */
export const versions = ["2023-06-01", "2026-10-21"]

/** Throws the Rejection with which the Messages API would answer this body; returns when the API would take it. */
export function checkMessagesRequest(value: unknown, version: string): asserts value is MessagesRequest {
  const body = dictionary(value, "")
  onlyKeys(body, "", version === "2023-06-01" ? [...bodyKeys, ...samplingKeys] : bodyKeys)
  requiredInteger(body, "max_tokens", "", 0)
  checkPrompt(body)
  optionalBoolean(body, "stream", "")
  optionalChoice(body, "service_tier", "", ["auto", "standard_only"])
  optionalChoice(body, "speed", "", ["standard", "fast"])
  if (!absent(body.stop_sequences)) checkStopSequences(body)
  if (!absent(body.metadata)) {
    const metadata = dictionary(body.metadata, "metadata")
    onlyKeys(metadata, "metadata", ["user_id"])
    optionalString(metadata, "user_id", "metadata")
  }
  if (!absent(body.output_config)) {
    const config = dictionary(body.output_config, "output_config")
    onlyKeys(config, "output_config", ["effort", "format"])
    optionalChoice(config, "effort", "output_config", ["low", "medium", "high", "xhigh", "max"])
  }
  for (const key of samplingKeys) {
    if (!absent(body[key]) && typeof body[key] !== "number") throw invalid(key, "Input should be a valid number")
  }
}

/** The parts that POST /v1/messages/count_tokens takes as well. */
export const checkPrompt = (body: Fields): void => {
  const model = requiredString(body, "model", "")
  if (model === "") throw invalid("model", "String should have at least 1 character")
  const counted: Counted = { images: [], breakpoints: [] }
  const names = checkTools(body.tools, counted)
  if (Array.isArray(body.system)) {
    for (const [i, block] of body.system.entries()) checkBlock(block, at("system", i), "system", counted)
    if (body.system.some((block) => dictionary(block, "system").text === "")) {
      throw invalid("system", "text content blocks must be non-empty")
    }
  } else optionalString(body, "system", "")
  const messages = requiredList(body, "messages", "")
  checkMessages(messages, counted)
  checkCacheControl(body, "", counted)
  checkBreakpoints(counted)
  checkImages(counted.images)
  const forced = checkToolChoice(body.tool_choice, names)
  const thinking = checkThinking(body)
  const traits = traitsOf(model)
  checkModel(traits, body, thinking, forced)
  checkTurns(messages)
  if (messages.at(-1)?.role === "assistant") {
    if (traits.prefill) return
    throw invalid(
      "",
      "This model does not support assistant message prefill. The conversation must end with a user message."
    )
  }
  if (thinking === "enabled") checkThoughtFirst(messages)
}

function checkMessages(
  messages: ReadonlyArray<unknown>,
  counted: Counted
): asserts messages is ReadonlyArray<Anthropic.MessageParam> {
  for (const [i, value] of messages.entries()) {
    const path = at("messages", i)
    const message = dictionary(value, path)
    const role = requiredChoice(message, "role", path, ["user", "assistant"])
    onlyKeys(message, path, ["role", "content"])
    if (message.content === undefined) throw invalid(at(path, "content"), "Field required")
    checkContent(message.content, at(path, "content"), role === "user" ? "user" : "assistant", counted)
  }
}

const checkStopSequences = (body: Fields): void => {
  for (const [i, stop] of list(body.stop_sequences, "stop_sequences").entries()) {
    if (typeof stop !== "string") throw invalid(`stop_sequences.${i}`, "Input should be a valid string")
    if (stop.trim() === "") throw invalid("stop_sequences", "each stop sequence must contain non-whitespace")
  }
}

const checkBreakpoints = ({ breakpoints }: Counted): void => {
  if (breakpoints.length > maxBreakpoints) {
    throw invalid("", `A maximum of 4 blocks with cache_control may be provided. Found ${breakpoints.length}.`)
  }
  const short = breakpoints.findIndex(({ ttl }) => ttl === "5m")
  const late = breakpoints.find(({ ttl }, i) => ttl === "1h" && short !== -1 && i > short)
  if (late !== undefined) {
    throw invalid(
      at(late.path, "ttl"),
      "a ttl='1h' cache_control block must not come after a ttl='5m' cache_control block. Note that blocks are " +
        "processed in the following order: `tools`, `system`, `messages`."
    )
  }
}

/** The value of thinking.type, if any. */
const checkThinking = (body: Fields): string | undefined => {
  if (absent(body.thinking)) return undefined
  const thinking = dictionary(body.thinking, "thinking")
  const tag = tagOf(thinking, "thinking", ["enabled", "disabled", "adaptive", "between_tools"])
  const path = at("thinking", tag)
  const own = tag === "enabled" ? ["budget_tokens", "display"] : tag === "adaptive" ? ["display"] : []
  onlyKeys(thinking, path, ["type", ...own])
  optionalChoice(thinking, "display", path, ["summarized", "omitted"])
  if (tag === "enabled") {
    const budget = requiredInteger(thinking, "budget_tokens", path, 1024)
    if (typeof body.max_tokens === "number" && body.max_tokens <= budget) {
      throw invalid("", "`max_tokens` must be greater than `thinking.budget_tokens`.")
    }
  }
  return tag
}

const checkModel = (traits: ModelTraits, body: Fields, thinking: string | undefined, forced: boolean): void => {
  if (thinking !== undefined && !traits.thinking.includes(thinking)) {
    throw invalid(
      "",
      thinking === "adaptive"
        ? "adaptive thinking is not supported on this model"
        : `"thinking.type.${thinking}" is not supported for this model. Use "thinking.type.adaptive" and ` +
            '"output_config.effort" to control thinking behavior.'
    )
  }
  const effort = absent(body.output_config) ? undefined : dictionary(body.output_config, "output_config").effort
  if (!traits.effort && (effort === "low" || effort === "medium" || effort === "high"))
    throw invalid("", "This model does not support the effort parameter.")
  const thinks = thinking === "enabled" || thinking === "adaptive"
  for (const key of samplingKeys) {
    if (absent(body[key])) continue
    if (!traits.sampling) throw invalid("", `\`${key}\` is deprecated for this model.`)
    if (key === "temperature" && thinks && body[key] !== 1) {
      throw invalid("", "`temperature` may only be set to 1 when thinking is enabled or in adaptive mode.")
    }
  }
  if (forced && thinks) throw invalid("", "Thinking may not be enabled when tool_choice forces tool use.")
  if (forced && !traits.forcedTools) throw invalid("tool_choice", "forced tool use is not supported for this model")
}

/** With manual thinking, an assistant message whose tools are being answered keeps its thoughts. */
const checkThoughtFirst = (messages: ReadonlyArray<Anthropic.MessageParam>): void => {
  const asking = messages.at(-2)
  if (asking === undefined || typeof asking.content === "string") return
  const first = asking.content[0]?.type
  if (!asking.content.some((block) => block.type === "tool_use")) return
  if (first === "thinking" || first === "redacted_thinking") return
  throw invalid(
    `messages.${messages.length - 2}.content.0.type`,
    `Expected \`thinking\` or \`redacted_thinking\`, but found \`${first}\`. When \`thinking\` is enabled, a final ` +
      "`assistant` message must start with a thinking block (preceeding the lastmost set of `tool_use` and " +
      "`tool_result` blocks)."
  )
}
