import { randomBytes } from "node:crypto"
import type OpenAI from "openai"
import type { ErrorBody, MessageReply, ReplyBlock, ReplyUsage } from "./modelReplies.ts"
import type { PromptTokens } from "./openaiCache.ts"
import { traitsOf } from "./openaiModels.ts"
import { type ResponsesRequest, wantsReasoning } from "./openaiRequest.ts"

/** How a scripted reply becomes a complete answer of the Responses API. */

const hexId = (prefix: string): string => `${prefix}_${randomBytes(24).toString("hex")}`

type OutputItem =
  | OpenAI.Responses.ResponseOutputMessage
  | OpenAI.Responses.ResponseFunctionToolCall
  | OpenAI.Responses.ResponseReasoningItem

const outputItem = (block: ReplyBlock, refuses: boolean, encrypts: boolean): OutputItem => {
  switch (block.type) {
    case "text":
      return {
        id: hexId("msg"),
        type: "message",
        status: "completed",
        role: "assistant",
        content: [
          refuses
            ? { type: "refusal", refusal: block.text }
            : { type: "output_text", annotations: [], logprobs: [], text: block.text }
        ]
      }
    case "tool_use":
      return {
        id: hexId("fc"),
        type: "function_call",
        status: "completed",
        arguments: typeof block.input === "string" ? block.input : JSON.stringify(block.input),
        call_id: block.id ?? `call_${randomBytes(18).toString("base64url").replace(/[-_]/g, "x")}`,
        name: block.name
      }
    case "thinking":
      return reasoningItem(block.thinking, encrypts ? (block.signature ?? encrypted()) : undefined)
    case "redacted_thinking":
      return reasoningItem("", encrypts ? block.data : undefined)
  }
}

const encrypted = (): string => `gAAAAA${randomBytes(48).toString("base64url")}`

const reasoningItem = (summary: string, content: string | undefined): OpenAI.Responses.ResponseReasoningItem => ({
  id: hexId("rs"),
  type: "reasoning",
  summary: summary === "" ? [] : [{ type: "summary_text", text: summary }],
  ...(content === undefined ? {} : { encrypted_content: content })
})

const incompleteReasons: Readonly<Record<string, "max_output_tokens" | "content_filter">> = {
  max_tokens: "max_output_tokens",
  content_filter: "content_filter"
}

/** The whole response as the API sends it. A tool's input may be text, as models write it. */
export const completeResponse = (reply: MessageReply, request: ResponsesRequest, prompt: PromptTokens) => {
  const reason = incompleteReasons[reply.stop_reason ?? ""]
  const now = Math.floor(Date.now() / 1000)
  return {
    id: hexId("resp"),
    object: "response",
    created_at: now,
    status: reason === undefined ? "completed" : "incomplete",
    background: false,
    ...(reason === undefined ? { completed_at: now } : {}),
    error: null,
    incomplete_details: reason === undefined ? null : { reason },
    instructions: request.instructions ?? null,
    max_output_tokens: request.max_output_tokens ?? null,
    model: reply.model ?? request.model,
    output: reply.content.map((block) => outputItem(block, reply.stop_reason === "refusal", wantsReasoning(request))),
    parallel_tool_calls: request.parallel_tool_calls ?? true,
    previous_response_id: null,
    prompt_cache_key: request.prompt_cache_key ?? null,
    reasoning: request.reasoning ?? { effort: null, summary: null },
    service_tier: "default",
    store: request.store ?? true,
    temperature: 1,
    text: { format: { type: "text" }, verbosity: "medium" },
    tool_choice: request.tool_choice ?? "auto",
    tools: request.tools ?? [],
    top_p: 1,
    truncation: request.truncation ?? "disabled",
    usage: completeUsage(reply.usage, request.model, prompt),
    user: null,
    metadata: {}
  }
}

const completeUsage = (
  given: ReplyUsage | undefined,
  model: string,
  prompt: PromptTokens
): OpenAI.Responses.ResponseUsage => {
  const read = given === undefined ? prompt.cached : (given.cache_read_input_tokens ?? 0)
  const fresh = prompt.input - prompt.cached
  const writes = traitsOf(model).countsCacheWrites && prompt.input >= 1024 ? fresh : 0
  const write = given === undefined ? writes : (given.cache_creation_input_tokens ?? 0)
  const input = given === undefined ? prompt.input : (given.input_tokens ?? 0) + read + write
  const output = given === undefined ? 20 : (given.output_tokens ?? 0)
  return {
    input_tokens: input,
    input_tokens_details: { cached_tokens: read, cache_write_tokens: write },
    output_tokens: output,
    output_tokens_details: { reasoning_tokens: 0 },
    total_tokens: input + output
  }
}

/** What OpenAI calls the mistakes that scripts name in Anthropic's words. */
const translated: Readonly<Record<string, Pick<ErrorBody, "type" | "code">>> = {
  rate_limit_error: { type: "requests", code: "rate_limit_exceeded" },
  overloaded_error: { type: "service_unavailable_error", code: "server_is_overloaded" },
  authentication_error: { type: "invalid_request_error", code: "invalid_api_key" },
  api_error: { type: "server_error", code: null }
}

/** The error body of the API. */
export const errorBody = ({ code, message, param, type }: ErrorBody) => {
  const own = translated[type] ?? { type, code: null }
  return { error: { message, type: own.type, param: param ?? null, code: code ?? own.code ?? null } }
}
