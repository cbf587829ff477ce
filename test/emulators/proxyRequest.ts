import { isRecord } from "./httpServer.ts"
import { checkImageUrl } from "./openaiMedia.ts"
import {
  absent,
  array,
  at,
  type Fields,
  invalid,
  matching,
  object,
  onlyKeys,
  optionalString,
  requiredArray,
  requiredChoice,
  requiredString,
  wrongType
} from "./openaiShape.ts"
import { checkTools } from "./openaiTools.ts"

/** The rules of Chat Completions: https://developers.openai.com/api/reference/resources/chat. */

/** The body of POST /chat/completions, once it has passed. */
export interface ChatRequest {
  readonly model: string
  readonly messages: ReadonlyArray<ChatMessage>
  readonly tools?: ReadonlyArray<unknown>
  readonly tool_choice?: unknown
  readonly stream?: boolean
  readonly stream_options?: { readonly include_usage?: boolean }
}

export interface ChatMessage {
  readonly role: string
  readonly content?: unknown
  readonly reasoning_content?: unknown
  readonly reasoning_details?: unknown
  readonly tool_call_id?: string
  readonly tool_calls?: ReadonlyArray<{
    readonly id: string
    readonly extra_content?: unknown
    readonly function: { readonly name: string; readonly arguments: string }
  }>
}

const bodyKeys = [
  "model",
  "messages",
  "tools",
  "tool_choice",
  "parallel_tool_calls",
  "temperature",
  "top_p",
  "max_tokens",
  "max_completion_tokens",
  "reasoning_effort",
  "stop",
  "stream",
  "stream_options",
  "user",
  "n"
]

/** Which parts the content of a role may have. */
const partTypes: Readonly<Record<string, ReadonlyArray<string>>> = {
  system: ["text"],
  user: ["text", "image_url", "file"],
  assistant: ["text", "refusal"],
  tool: ["text"]
}

/** What LiteLLM takes in assistant messages beyond that (docs.litellm.ai/docs/reasoning_content); single endpoints refuse it (proxyServers.ts). */
const attachments = [
  "reasoning_content",
  "reasoning",
  "reasoning_details",
  "extra_content",
  "thinking_blocks",
  "provider_specific_fields"
]

/** Throws the Rejection with which the API would answer this body; returns when the API would take it. `longestId`: OpenAI's, of calls. */
export function checkChatRequest(value: unknown, longestId = 64): asserts value is ChatRequest {
  const body = object(value, "body")
  onlyKeys(body, "", bodyKeys)
  requiredString(body, "model", "")
  checkStream(body)
  const messages = requiredArray(body, "messages", "")
  if (messages.length === 0) throw invalid("messages", "Invalid 'messages': empty array.", "empty_array")
  checkToolsOf(body)
  for (const [i, message] of messages.entries())
    checkMessage(object(message, at("messages", i)), at("messages", i), longestId)
  checkOrder(messages.map((message, i) => object(message, at("messages", i))))
}

/** As vLLM's ChatCompletionRequest: options of a stream go with a stream only. */
const checkStream = (body: Fields): void => {
  if (absent(body.stream_options)) return
  if (body.stream !== true) throw invalid("stream_options", "Stream options can only be defined when `stream=True`.")
  onlyKeys(object(body.stream_options, "stream_options"), "stream_options", ["include_usage", "include_obfuscation"])
}

/** Functions are one level deeper than in the Responses API. */
const checkToolsOf = (body: Fields): void => {
  if (absent(body.tools)) {
    if (absent(body.tool_choice)) return
    throw invalid("tool_choice", "'tool_choice' is only allowed when 'tools' are specified.", null)
  }
  if (array(body.tools, "tools").length === 0) throw invalid("tools", "[] is too short - 'tools'", null)
  const tools = array(body.tools, "tools").map((tool, i) => {
    const here = at("tools", i)
    const fields = object(tool, here)
    requiredChoice(fields, "type", here, ["function"])
    onlyKeys(fields, here, ["type", "function"])
    return { type: "function", ...object(fields.function, at(here, "function")) }
  })
  checkTools(tools)
}

const checkMessage = (message: Fields, path: string, longestId: number): void => {
  const role = requiredChoice(message, "role", path, Object.keys(partTypes))
  const also = role === "assistant" ? attachments : []
  onlyKeys(message, path, ["role", "content", "name", "tool_calls", "tool_call_id", ...also])
  if (role === "tool") requiredString(message, "tool_call_id", path)
  if (role === "assistant") checkReply(message, path, longestId)
  else if (absent(message.content)) throw wrongType(at(path, "content"), "a string", message.content)
  if (!absent(message.content)) checkContent(message.content, role, at(path, "content"))
}

const checkReply = (message: Fields, path: string, longestId: number): void => {
  if (absent(message.tool_calls)) {
    if (!absent(message.content)) return
    throw invalid(at(path, "content"), "An assistant message needs content or tool_calls.")
  }
  const calls = requiredArray(message, "tool_calls", path)
  if (calls.length === 0) throw invalid(at(path, "tool_calls"), "Invalid 'tool_calls': empty array.", "empty_array")
  for (const [i, value] of calls.entries()) {
    const here = at(at(path, "tool_calls"), i)
    const call = object(value, here)
    requiredString(call, "id", here, longestId)
    requiredChoice(call, "type", here, ["function"])
    const called = object(call.function, at(here, "function"))
    matching(requiredString(called, "name", at(here, "function"), 64), at(here, "function.name"), /^[a-zA-Z0-9_-]+$/)
    requiredString(called, "arguments", at(here, "function"))
  }
}

const checkContent = (content: unknown, role: string, path: string): void => {
  if (typeof content === "string") return
  const parts = array(content, path)
  if (parts.length === 0) throw invalid(path, `Invalid '${path}': empty array.`, "empty_array")
  for (const [i, value] of parts.entries()) {
    const here = at(path, i)
    const part = object(value, here)
    const type = requiredChoice(part, "type", here, partTypes[role] ?? [])
    onlyKeys(part, here, ["type", "cache_control", type])
    if (type === "text") requiredString(part, "text", here)
    if (type === "image_url") {
      const image = object(part.image_url, at(here, "image_url"))
      checkImageUrl(requiredString(image, "url", at(here, "image_url")), at(here, "image_url.url"))
    }
    if (type === "file") {
      const file = object(part.file, at(here, "file"))
      optionalString(file, "filename", at(here, "file"))
      requiredString(file, "file_data", at(here, "file"))
    }
  }
}

/** Every call is answered once, by the messages right after it; the first message that is no system prompt is the user's. */
const checkOrder = (messages: ReadonlyArray<Fields>): void => {
  let open: Array<unknown> = []
  for (const [i, message] of messages.entries()) {
    const path = at("messages", i)
    if (message.role === "tool") {
      if (!open.includes(message.tool_call_id)) {
        throw invalid(
          path,
          "messages with role 'tool' must be a response to a preceeding message with 'tool_calls'.",
          null
        )
      }
      open = open.filter((id) => id !== message.tool_call_id)
      continue
    }
    if (open.length > 0) {
      throw invalid(
        path,
        "An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'. The " +
          `following tool_call_ids did not have response messages: ${open.join(", ")}`,
        null
      )
    }
    open = Array.isArray(message.tool_calls) ? message.tool_calls.map((call) => (isRecord(call) ? call.id : null)) : []
    if (new Set(open).size !== open.length) throw invalid(path, "The ids of tool_calls must be unique.")
  }
  if (open.length > 0) throw invalid("messages", "The last tool_calls have no response messages.", null)
  if (messages.find(({ role }) => role !== "system")?.role !== "user") {
    throw invalid("messages", "The conversation must begin with a user message.")
  }
}

const textOf = (content: unknown): string =>
  typeof content === "string"
    ? content
    : Array.isArray(content)
      ? content.flatMap((part) => (isRecord(part) && typeof part.text === "string" ? [part.text] : [])).join("\n")
      : ""

/** All text of the first user message. */
export const firstUserText = ({ messages }: ChatRequest): string =>
  textOf(messages.find(({ role }) => role === "user")?.content)

export const hasTool = ({ tool_choice, tools }: ChatRequest, name: string): boolean =>
  tool_choice !== "none" &&
  (tools ?? []).some((tool) => isRecord(tool) && isRecord(tool.function) && tool.function.name === name)
