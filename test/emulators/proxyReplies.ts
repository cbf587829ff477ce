import { randomBytes } from "node:crypto"
import type { ErrorBody, MessageReply, ReplyUsage } from "./modelReplies.ts"
import type { PromptTokens } from "./openaiCache.ts"
import type { ChatRequest } from "./proxyRequest.ts"
import type { AnswerRules } from "./proxyServers.ts"

/** How a scripted reply becomes a chat completion, as LiteLLM sends it. */

const finishReasons: Readonly<Record<string, string>> = {
  tool_use: "tool_calls",
  max_tokens: "length",
  content_filter: "content_filter"
}

export const completion = (reply: MessageReply, request: ChatRequest, prompt: PromptTokens, rules: AnswerRules) => {
  const texts = reply.content.flatMap((block) => (block.type === "text" ? [block.text] : []))
  const thoughts = reply.content.flatMap((block) => (block.type === "thinking" ? [block.thinking] : []))
  const calls = reply.content.flatMap((block) => (block.type === "tool_use" ? [block] : []))
  const refuses = reply.stop_reason === "refusal"
  const stop = reply.stop_reason ?? (calls.length > 0 ? "tool_use" : "end_turn")
  return {
    id: `chatcmpl-${randomBytes(12).toString("hex")}`,
    object: "chat.completion",
    created: Math.floor(Date.now() / 1000),
    model: reply.model ?? request.model,
    choices: [
      {
        index: 0,
        finish_reason: finishReasons[stop] ?? "stop",
        message: rules.attach(
          {
            role: "assistant",
            content: refuses || texts.length === 0 ? null : texts.join("\n\n"),
            refusal: refuses ? texts.join(" ") || "I can't help with that." : null,
            ...(calls.length === 0
              ? {}
              : {
                  tool_calls: calls.map(({ id, input, name }, index) => ({
                    id: id ?? rules.idOf(name, callsBefore(request) + index),
                    type: "function",
                    function: { name, arguments: typeof input === "string" ? input : JSON.stringify(input) },
                    ...rules.sign(index)
                  }))
                })
          },
          thoughts.join("\n")
        )
      }
    ],
    usage: usageOf(reply.usage, prompt)
  }
}

const callsBefore = ({ messages }: ChatRequest): number =>
  messages.reduce((sum, { tool_calls }) => sum + (tool_calls ?? []).length, 0)

const usageOf = (given: ReplyUsage | undefined, prompt: PromptTokens) => {
  const read = given === undefined ? prompt.cached : (given.cache_read_input_tokens ?? 0)
  const write = given?.cache_creation_input_tokens ?? 0
  const input = given === undefined ? prompt.input : (given.input_tokens ?? 0) + read + write
  const output = given === undefined ? 20 : (given.output_tokens ?? 0)
  return {
    prompt_tokens: input,
    completion_tokens: output,
    total_tokens: input + output,
    prompt_tokens_details: { cached_tokens: read },
    cache_creation_input_tokens: write
  }
}

/** LiteLLM names its classes of errors in the message, and gives the status as the code. */
export const errorBody = ({ code, message, param, type }: ErrorBody, status: number) => ({
  error: {
    message: `litellm.${className(status)}: ${message}`,
    type,
    param: param ?? null,
    code: code ?? String(status)
  }
})

const className = (status: number): string => {
  if (status === 401) return "AuthenticationError"
  if (status === 404) return "NotFoundError"
  if (status === 429) return "RateLimitError"
  return status >= 500 ? "InternalServerError" : "BadRequestError"
}
