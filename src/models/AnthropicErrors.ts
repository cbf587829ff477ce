import type AnthropicClient from "@anthropic-ai/sdk"
import { Schema } from "effect"
import { ModelError, retryAfter } from "./LanguageModel.ts"

const decodeProblem = Schema.decodeUnknownOption(
  Schema.Struct({ error: Schema.Struct({ error: Schema.Struct({ message: Schema.String }) }) })
)

/** The message of the API's error body, else the SDK's own words. */
const wordsOf = (error: Error): string => {
  const problem = decodeProblem(error)
  return problem._tag === "Some" ? problem.value.error.error.message : error.message
}

/** Anthropic's error statuses: platform documentation, "Errors". */
export const toModelError = (problem: InstanceType<typeof AnthropicClient.APIError>): ModelError => {
  const { headers, status } = problem
  const message = wordsOf(problem)
  const pause = retryAfter(Number(headers?.get("retry-after") ?? Number.NaN) * 1000)
  const error = (reason: ModelError["reason"]) => new ModelError({ reason, message: `Anthropic: ${message}`, ...pause })
  if (status === undefined) return error("Unavailable")
  if (status === 429) return error("RateLimited")
  if (status === 529) return error("Overloaded")
  if (status === 402 || /credit balance is too low/i.test(message)) return error("QuotaExhausted")
  if (status === 401 || status === 403) return error("Unauthorized")
  if (status === 400 && /prompt is too long|exceed context limit/i.test(message)) return error("ContextTooLong")
  return error(status === 408 || status >= 500 ? "Unavailable" : "InvalidRequest")
}
