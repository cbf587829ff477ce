import { ModelError, retryAfter } from "./LanguageModel.ts"
import type { OpenAIProblem } from "./OpenAIErrors.ts"
import { withoutKeys } from "./OpenAIErrors.ts"
import { isTooLong, refusedPart } from "./Wordings.ts"

/** LiteLLM's budgets, OpenAI's and OpenRouter's credits. */
const noMoney = /insufficient_quota|billing_hard_limit|insufficient credits|exceeded ?budget|budget has been exceeded/i

/** LiteLLM and Ollama answer 500 where the provider behind them knows no such model. */
const noModel = /\bmodel\b.{0,200}\b(not found|does not exist)|NotFoundError/i

const refusal = /content_?policy|content_?filter|ContentPolicyViolation|moderation/i

/** An endpoint's error, whether it came with a status of its own or inside a 200. */
export const toModelError = (problem: OpenAIProblem): ModelError =>
  new ModelError({
    reason: reasonOf(problem),
    message: `LLM proxy: ${withoutKeys(problem.message)}`,
    ...retryAfter(problem.retryAfter),
    ...refusedPart(problem.message)
  })

const reasonOf = ({ code = "", message, status, type = "" }: OpenAIProblem): ModelError["reason"] => {
  const words = `${type} ${code} ${message}`
  if (status === undefined) return "Unavailable"
  if (status === 402 || noMoney.test(words)) return "QuotaExhausted"
  if (isTooLong(status, words)) return "ContextTooLong"
  if (status === 429) return "RateLimited"
  if (status === 401) return "Unauthorized"
  if (status < 500 && refusal.test(words)) return "Refused"
  if (status === 403) return "Unauthorized"
  if (noModel.test(words)) return "InvalidRequest"
  if (status === 503 || status === 529) return "Overloaded"
  return status === 408 || status === 409 || status >= 500 ? "Unavailable" : "InvalidRequest"
}

export const refused = (words: string): ModelError =>
  new ModelError({ reason: "Refused", message: `LLM proxy: the model refused to go on with this task: ${words}` })
