import { randomBytes } from "node:crypto"
import { isRecord } from "./httpServer.ts"
import type { ErrorBody } from "./modelReplies.ts"
import type { ChatMessage } from "./proxyRequest.ts"
import { Rejection } from "./rejection.ts"

/**
 * What single OpenAI-compatible endpoints want beyond Chat Completions, and what they attach to their answers. Rules without a source are
 * beliefs.
 */
export const serverKinds = [
  "cerebras",
  "deepseek",
  "gemini",
  "kimi",
  "litellm",
  "mistral",
  "openrouter",
  "vllm"
] as const
export type ServerKind = (typeof serverKinds)[number]

/** What an endpoint adds to an answer. */
export interface AnswerRules {
  readonly attach: (message: Readonly<Record<string, unknown>>, reasoning: string) => Readonly<Record<string, unknown>>
  /** `index` counts the calls of the conversation. */
  readonly idOf: (name: string, index: number) => string
  /** What it adds to a call of an answer. */
  readonly sign: (index: number) => Readonly<Record<string, unknown>>
}

/** One endpoint: what it refuses, and what it adds to its answers. */
interface ServerRules extends Partial<AnswerRules> {
  readonly check: (messages: ReadonlyArray<ChatMessage>) => void
  /** Characters of a call's id. */
  readonly longestId?: number
}

/** As LiteLLM answers. */
const ordinary: AnswerRules = {
  attach: (message, reasoning_content) => (reasoning_content === "" ? message : { ...message, reasoning_content }),
  idOf: () => `call_${randomBytes(12).toString("hex")}`,
  sign: () => ({})
}

/** The rules of an endpoint; undefined: of none in particular. */
export const rulesOf = (kind: ServerKind | undefined): AnswerRules & ServerRules => ({
  ...ordinary,
  check: () => {},
  ...(kind === undefined ? {} : serverRules[kind])
})

const refusal = (status: number, message: string, more: Partial<ErrorBody> = {}) =>
  new Rejection(status, { type: "invalid_request_error", message, ...more })

const hasCalls = ({ role, tool_calls }: ChatMessage): boolean => role === "assistant" && (tool_calls ?? []).length > 0

const forbid = (
  messages: ReadonlyArray<ChatMessage>,
  keys: ReadonlyArray<string>,
  words: (i: number, key: string) => Rejection
) => {
  for (const [i, message] of messages.entries()) {
    const key = keys.find((one) => message.role === "assistant" && one in message)
    if (key !== undefined) throw words(i, key)
  }
}

const signature = "c2lnbmF0dXJl"

const serverRules: Readonly<Record<ServerKind, ServerRules>> = {
  /** github.com/CherryHQ/cherry-studio/issues/16790 */
  cerebras: {
    check: (messages) =>
      forbid(messages, ["reasoning_content", "reasoning"], (i, key) =>
        refusal(400, `messages.${i}.assistant.${key}: property 'messages.${i}.assistant.${key}' is unsupported`)
      ),
    attach: (message, reasoning) => ({ ...message, reasoning })
  },
  /** api-docs.deepseek.com/guides/thinking_mode, "Tool Calls"; the words: github.com/anomalyco/opencode/issues/9397. An empty text will do: github.com/deepseek-ai/deepseek-harness/discussions/1850. */
  deepseek: {
    check: (messages) => {
      const at = messages.findIndex((message) => hasCalls(message) && typeof message.reasoning_content !== "string")
      if (at >= 0)
        throw refusal(400, `Missing \`reasoning_content\` field in the assistant message at message index ${at}.`)
    },
    attach: (message, reasoning_content) => ({ ...message, reasoning_content })
  },
  /** ai.google.dev/gemini-api/docs/thought-signatures: the first call of a step is signed; the other text is what the page allows for calls of other models. */
  gemini: {
    check: (messages) => {
      for (const message of messages.filter(hasCalls)) {
        const extra = message.tool_calls?.[0]?.extra_content
        const google = isRecord(extra) ? extra.google : undefined
        const given = isRecord(google) ? google.thought_signature : undefined
        if (given === undefined)
          throw refusal(400, "Function call is missing a thought_signature in functionCall parts.")
        if (given !== signature && given !== "skip_thought_signature_validator") {
          throw refusal(400, "Thought signature is not valid.")
        }
      }
    },
    sign: (index) => (index === 0 ? { extra_content: { google: { thought_signature: signature } } } : {})
  },
  /** The words: github.com/continuedev/continue/issues/11711; an empty text is missing: github.com/anomalyco/opencode/issues/10996. The ids: the guide to Kimi K2's tool calls (github.com/MoonshotAI/Kimi-K2/blob/main/docs/tool_call_guidance.md). */
  kimi: {
    check: (messages) => {
      const at = messages.findIndex((message) => hasCalls(message) && !message.reasoning_content)
      const words = "thinking is enabled but reasoning_content is missing in assistant tool call message at index"
      if (at >= 0) throw refusal(400, `${words} ${at}`)
    },
    attach: (message, reasoning_content) => ({ ...message, reasoning_content }),
    idOf: (name, index) => `functions.${name}:${index}`
  },
  /** docs.litellm.ai/docs/reasoning_content; signatures in ids: github.com/BerriAI/litellm/pull/16895. An id that was changed has lost its signature. */
  litellm: {
    check: (messages) => {
      for (const { id } of messages.flatMap(({ tool_calls }) => tool_calls ?? [])) {
        if (!id.endsWith(`__thought__${signature.repeat(25)}`)) throw refusal(400, "Thought signature is not valid")
      }
    },
    idOf: (_name, index) => `call_${index}__thought__${signature.repeat(25)}`,
    longestId: 400
  },
  /** Order: github.com/zed-industries/zed/issues/37021; ids: mistral-common, `InvalidToolCallIdException`; keys: github.com/charmbracelet/crush/issues/1590. */
  mistral: {
    check: (messages) => {
      forbid(messages, ["reasoning_content", "reasoning"], (i, key) =>
        refusal(
          422,
          `{"type":"extra_forbidden","loc":["body","messages",${i},"assistant","${key}"],"msg":"Extra inputs are not permitted"}`
        )
      )
      const at = messages.findIndex(({ role }, i) => role === "user" && messages[i - 1]?.role === "tool")
      if (at >= 0) throw refusal(400, "Unexpected role 'user' after role 'tool'", { code: "3230" })
      for (const { id } of messages.flatMap(({ tool_calls }) => tool_calls ?? [])) {
        if (!/^[a-zA-Z0-9]{9}$/.test(id)) {
          throw refusal(400, `Tool call id was ${id} but must be a-z, A-Z, 0-9, with a length of 9.`)
        }
      }
    },
    idOf: (_name, index) => `a1B2c3D${String(index).padStart(2, "0")}`
  },
  /** openrouter.ai/docs/guides/best-practices/reasoning-tokens, "Preserving reasoning": unmodified, in their order. */
  openrouter: {
    check: (messages) => {
      for (const { reasoning_details: details } of messages.filter(hasCalls)) {
        if (JSON.stringify(details) !== JSON.stringify(detailsOf("hm"))) throw refusal(400, "Invalid reasoning_details")
      }
    },
    attach: (message, reasoning) => ({ ...message, reasoning, reasoning_details: detailsOf(reasoning) })
  },
  /** docs.vllm.ai, --limit-mm-per-prompt; the words: vllm/multimodal/processing. */
  vllm: {
    check: (messages) => {
      const parts = messages.flatMap(({ content }): ReadonlyArray<unknown> => (Array.isArray(content) ? content : []))
      if (parts.filter((part) => isRecord(part) && part.type === "image_url").length > 4) {
        throw refusal(400, "At most 4 image(s) may be provided in one prompt.")
      }
    }
  }
}

const detailsOf = (text: string) => [
  { type: "reasoning.text", text, signature, id: "r1", format: "anthropic-claude-v1", index: 0 }
]
