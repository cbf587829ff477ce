import { Option, Schema } from "effect"
import { ModelError, retryAfter } from "./LanguageModel.ts"
import { isTooLong, refusedPart } from "./Wordings.ts"

/** What Google's error answers mean: ai.google.dev/gemini-api/docs/troubleshooting, and google/rpc/error_details.proto for the details. */

const Problem = Schema.Struct({
  error: Schema.Struct({ message: Schema.String, details: Schema.optionalKey(Schema.Array(Schema.Unknown)) })
})

/** Some endpoints put the error into a list. */
const decodeProblem = Schema.decodeUnknownOption(
  Schema.fromJsonString(Schema.Union([Problem, Schema.Tuple([Problem])]))
)

const Details = {
  /** A protobuf Duration: seconds, such as "34.07s". */
  retry: Schema.decodeUnknownOption(Schema.Struct({ retryDelay: Schema.String.check(Schema.isPattern(/^[\d.]+s$/)) })),
  info: Schema.decodeUnknownOption(Schema.Struct({ reason: Schema.String })),
  quota: Schema.decodeUnknownOption(
    Schema.Struct({ violations: Schema.Array(Schema.Struct({ quotaId: Schema.optionalKey(Schema.String) })) })
  )
}

interface Explained {
  readonly message: string
  readonly reasons: ReadonlyArray<string>
  readonly quotas: ReadonlyArray<string>
  readonly pause: { readonly retryAfter?: number }
}

/** `body` is what the SDK makes of an answer; where the body was no JSON to it, the body is the message in a frame of the SDK's own. */
const explain = (body: string): Explained => {
  const problem = Option.getOrUndefined(decodeProblem(body))
  if (problem === undefined) return { message: body.slice(0, 500), reasons: [], quotas: [], pause: {} }
  const { error } = "error" in problem ? problem : problem[0]
  if (Option.isSome(decodeProblem(error.message))) return explain(error.message)
  const details = error.details ?? []
  return {
    message: error.message.slice(0, 500),
    reasons: details.flatMap((detail) => Option.toArray(Option.map(Details.info(detail), ({ reason }) => reason))),
    quotas: details.flatMap((detail) =>
      Option.toArray(Details.quota(detail)).flatMap(({ violations }) => violations.map(({ quotaId }) => quotaId ?? ""))
    ),
    pause: retryAfter(
      details.flatMap((detail) =>
        Option.toArray(Option.map(Details.retry(detail), ({ retryDelay }) => Number.parseFloat(retryDelay) * 1000))
      )[0]
    )
  }
}

export const toModelError = (status: number, body: string): ModelError => {
  const { message, pause, quotas, reasons } = explain(body)
  const error = (reason: ModelError["reason"]) => new ModelError({ reason, message: `Google: ${message}` })
  if (status === 429) {
    if (quotas.some((id) => id.includes("PerDay")) || /credits are depleted|spending cap/i.test(message)) {
      return error("QuotaExhausted")
    }
    return new ModelError({ reason: "RateLimited", message: `Google: ${message}`, ...pause })
  }
  if (status === 401 || status === 403 || reasons.includes("API_KEY_INVALID")) return error("Unauthorized")
  if (isTooLong(status, message)) return error("ContextTooLong")
  if (status === 503) return error("Overloaded")
  if (status === 408 || status >= 500) return error("Unavailable")
  return new ModelError({ reason: "InvalidRequest", message: `Google: ${message}`, ...refusedPart(message) })
}
