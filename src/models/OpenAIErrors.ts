import { Option, Schema } from "effect"
import type OpenAI from "openai"
import { shortened } from "../domain/Bounds.ts"
import { ModelError, retryAfter } from "./LanguageModel.ts"
import { isTooLong } from "./Wordings.ts"

/** An error that OpenAI answered with, or a connection that failed (no status). */
export class OpenAIProblem extends Schema.TaggedError<OpenAIProblem>()("OpenAIProblem", {
  status: Schema.optionalKey(Schema.Finite),
  message: Schema.String,
  type: Schema.optionalKey(Schema.String),
  code: Schema.optionalKey(Schema.String),
  /** The parameter that the error is about. */
  param: Schema.optionalKey(Schema.String),
  /** In ms. */
  retryAfter: Schema.optionalKey(Schema.Finite)
}) {}

/** Whether the endpoint refuses the request itself, for every caller and at any time. */
export const isRefusal = ({ status = 0 }: OpenAIProblem): boolean => [400, 404, 405, 415, 422, 501].includes(status)

const Field = Schema.optionalKey(Schema.Unknown)
const Body = Schema.Struct({ message: Field, type: Field, code: Field, param: Field, metadata: Field })
const decodeBody = Schema.decodeUnknownOption(Body)
/** Google's endpoint puts its error into a list. */
const decodeList = Schema.decodeUnknownOption(Schema.Tuple([Schema.Struct({ error: Body })]))

/** OpenRouter's: the words of the provider behind it, and the headers of its own limit. */
const Metadata = Schema.Struct({ raw: Field, headers: Field })
const decodeMetadata = Schema.decodeUnknownOption(Metadata)
const decodeHeaders = Schema.decodeUnknownOption(Schema.Struct({ "X-RateLimit-Reset": Schema.String }))

const wordsIn = (value: unknown): string | undefined =>
  typeof value === "string" ? value : typeof value === "number" ? String(value) : undefined

/** What the SDK throws, in our words. Codes are texts or numbers. */
export const toProblem = (error: InstanceType<typeof OpenAI.APIError>): OpenAIProblem => {
  const { metadata, ...body } = Option.getOrElse(
    Option.orElse(decodeBody(error.error), () => Option.map(decodeList(error.error), ([first]) => first.error)),
    (): typeof Body.Type => ({})
  )
  const { headers, raw } = Option.getOrElse(decodeMetadata(metadata), (): typeof Metadata.Type => ({}))
  const given = Object.entries(body).flatMap(([key, value]) => {
    const words = wordsIn(value)
    return words === undefined ? [] : [[key, words]]
  })
  const own = { message: error.message, ...Object.fromEntries(given) }
  const behind = wordsIn(raw)
  return new OpenAIProblem({
    ...own,
    ...(behind === undefined ? {} : { message: `${own.message}: ${shortened(behind, 2_000)}` }),
    ...(error.status === undefined ? {} : { status: error.status }),
    ...retryAfter(retryAfterOf(error.headers) ?? untilReset(error.headers?.get("x-ratelimit-reset"), headers))
  })
}

/** `retry-after-ms`, or `retry-after` in seconds or as a date. */
const retryAfterOf = (headers: Headers | undefined): number | undefined => {
  const inMs = Number.parseFloat(headers?.get("retry-after-ms") ?? "")
  const text = headers?.get("retry-after") ?? ""
  const seconds = Number.parseFloat(text)
  const candidates = [inMs, /^[\d.]+$/.test(text) ? seconds * 1000 : Date.parse(text) - Date.now()]
  return candidates.find((value) => Number.isFinite(value) && value >= 0)
}

/** OpenRouter names the instant at which its limit ends, in ms since the epoch, in a header or in the body. */
const untilReset = (header: string | null | undefined, inBody: unknown): number | undefined => {
  const text = header ?? Option.getOrUndefined(decodeHeaders(inBody))?.["X-RateLimit-Reset"] ?? ""
  return /^\d{13}$/.test(text) ? Math.max(0, Number(text) - Date.now()) : undefined
}

/** Error codes: developers.openai.com/api/docs/guides/error-codes; those of failed answers: the SDK's `ResponseError`. */
const quotaCodes =
  /^(insufficient_quota|billing_hard_limit_reached|billing_not_active|credit_balance_exhausted|(organization|project)_(spend|usage)_limit_exceeded)$/
const refusalCodes = /policy|^(content_filter|invalid_prompt)$/
const overloadCodes = /^(server_is_overloaded|slow_down)$/

/** Keys, which OpenAI repeats in part, are nothing for a task's error. */
export const withoutKeys = (message: string): string =>
  message.replaceAll(/\b(?:sk|sess)-[\w*.-]+|(?<=key provided: )\S+/gi, "…")

export const toModelError = (problem: OpenAIProblem): ModelError =>
  new ModelError({
    reason: reasonOf(problem),
    message: `OpenAI: ${withoutKeys(problem.message)}`,
    ...retryAfter(problem.retryAfter)
  })

const reasonOf = ({ code = "", message, status, type = "" }: OpenAIProblem): ModelError["reason"] => {
  if (status === undefined) return "Unavailable"
  if (quotaCodes.test(code) || quotaCodes.test(type) || status === 402) return "QuotaExhausted"
  // More than the account may use in a minute: waiting does not help, a shorter conversation does.
  if (status === 429) return /^Request too large/i.test(message) ? "ContextTooLong" : "RateLimited"
  if (refusalCodes.test(code)) return "Refused"
  if (status === 401 || status === 403) return "Unauthorized"
  if (isTooLong(status, `${code} ${message}`)) return "ContextTooLong"
  if (status === 503 || overloadCodes.test(code)) return "Overloaded"
  return status === 408 || status === 409 || status >= 500 ? "Unavailable" : "InvalidRequest"
}

/** Of an answer that began and then failed. */
export const reasonOfFailure = (code: string): ModelError["reason"] => {
  if (code === "rate_limit_exceeded") return "RateLimited"
  if (overloadCodes.test(code)) return "Overloaded"
  if (code === "server_error" || code === "vector_store_timeout") return "Unavailable"
  return refusalCodes.test(code) ? "Refused" : "InvalidRequest"
}

/** `words`: the model's own, which may be long. */
export const refused = (words: string): ModelError =>
  new ModelError({
    reason: "Refused",
    message: `OpenAI: the model refused to go on with this task: ${words.length > 300 ? `${words.slice(0, 300)}…` : words}`
  })
