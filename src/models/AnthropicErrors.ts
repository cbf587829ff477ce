import type AnthropicClient from "@anthropic-ai/sdk"
import { Option, Schema } from "effect"
import { ModelError, retryAfter } from "./LanguageModel.ts"
import { isTooLong, refusedPart } from "./Wordings.ts"

const decodeProblem = Schema.decodeUnknownOption(
  Schema.Struct({
    error: Schema.Struct({
      error: Schema.Struct({ message: Schema.String, details: Schema.optionalKey(Schema.Unknown) })
    })
  })
)
const decodeDetails = Schema.decodeUnknownOption(Schema.Struct({ error_code: Schema.String }))

/** Spent until the account's owner or the month changes that; the codes are those of the SDK's types (`ErrorDetails`). */
const spentCode = /spend_limit_reached$/
const spentWords = /credit balance is too low|reached your specified( workspace)? API usage limits/i

/** Anthropic's error statuses: platform documentation, "Errors". The message is the API's, else the SDK's own. */
export const toModelError = (problem: InstanceType<typeof AnthropicClient.APIError>): ModelError => {
  const { headers, status } = problem
  const body = Option.getOrUndefined(decodeProblem(problem))?.error.error
  const message = body?.message ?? problem.message
  const code = Option.match(decodeDetails(body?.details), { onNone: () => "", onSome: ({ error_code }) => error_code })
  const pause = retryAfter(Number(headers?.get("retry-after") ?? Number.NaN) * 1000)
  const error = (reason: ModelError["reason"]) => new ModelError({ reason, message: `Anthropic: ${message}`, ...pause })
  if (status === undefined) return error("Unavailable")
  if (status === 402 || spentCode.test(code) || spentWords.test(message)) return error("QuotaExhausted")
  if (status === 429) return error("RateLimited")
  if (status === 529) return error("Overloaded")
  if (status === 401 || status === 403) return error("Unauthorized")
  if (isTooLong(status, message)) return error("ContextTooLong")
  if (status === 408 || status >= 500) return error("Unavailable")
  return new ModelError({ reason: "InvalidRequest", message: `Anthropic: ${message}`, ...refusedPart(message) })
}
