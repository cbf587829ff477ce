import { isStreamRefused } from "./AnswerStream.ts"
import type { OpenAIProblem } from "./OpenAIErrors.ts"

/**
 * What an endpoint was found to want for one of its models, by what it refused. It is learned once and kept while the process runs, as
 * neither an endpoint's URL nor a model's name says what stands behind it.
 */
export interface Habits {
  /** A user's message may not follow a tool's: a short assistant message stands between them. */
  readonly bridges: boolean
  /** Fields that it attached to earlier answers may come back. */
  readonly attaches: boolean
  /** Every assistant message with calls needs `reasoning_content`. */
  readonly wantsReasoning: boolean
  /** The first call of every assistant message needs Google's signature, or a text that stands for it. */
  readonly wantsSignature: boolean
  /** How much of a stream is asked for. */
  readonly streaming: keyof typeof streamingFields
}

export const streamingFields = {
  withUsage: { stream: true, stream_options: { include_usage: true } },
  withoutUsage: { stream: true },
  none: {}
}

export const noHabits: Habits = {
  bridges: false,
  attaches: true,
  wantsReasoning: false,
  wantsSignature: false,
  streaming: "withUsage"
}

/** Mistral, and servers of its models: github.com/zed-industries/zed/issues/37021. */
const wrongOrder = /unexpected role '?user'? after role '?tool'?|invalid_request_message_order|roles must alternate/i

/** DeepSeek (github.com/anomalyco/opencode/issues/9397, 24083) and Kimi (github.com/continuedev/continue/issues/11711). */
const missingReasoning =
  /missing.{0,20}reasoning_content|reasoning_content.{0,60}(missing|must be passed back|is required)/i

/** Groq and Cerebras (github.com/tashfeenahmed/freellmapi/issues/1070), Mistral (github.com/charmbracelet/crush/issues/1590). */
const unwanted =
  /(reasoning|thinking_blocks|extra_content|provider_specific_fields)\w*.{0,80}(unsupported|not supported|not permitted|unknown|unrecognized|unexpected|forbidden)|(extra_forbidden|unknown|unrecognized|unexpected).{0,200}(reasoning|thinking_blocks|extra_content|provider_specific_fields)/is

/** Gemini (github.com/crmne/ruby_llm/issues/591). */
const missingSignature = /missing a thought_?signature/i

/** The habits after a refusal; undefined where it teaches nothing new. */
export const learned = (
  habits: Habits,
  { message, param = "", status = 0, type = "" }: OpenAIProblem
): Habits | undefined => {
  if (status < 400 || status >= 500) return undefined
  const words = `${type} ${message}`
  if (!habits.bridges && wrongOrder.test(words)) return { ...habits, bridges: true }
  if (habits.streaming !== "none" && isStreamRefused(`${param} ${message}`)) {
    const keepsStream = habits.streaming === "withUsage" && /stream_options/i.test(`${param} ${message}`)
    return { ...habits, streaming: keepsStream ? "withoutUsage" : "none" }
  }
  if (missingReasoning.test(words)) return habits.wantsReasoning ? undefined : { ...habits, wantsReasoning: true }
  if (missingSignature.test(words)) return habits.wantsSignature ? undefined : { ...habits, wantsSignature: true }
  return habits.attaches && unwanted.test(words) ? { ...habits, attaches: false } : undefined
}
