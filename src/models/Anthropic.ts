import { Effect, Redacted, Schema } from "effect"
import type { Model } from "../domain/Model.ts"
import { type Fields, fieldsOf, isStreamRefused, readAnswer } from "./AnswerStream.ts"
import { decodeAnswer, unexpectedShape } from "./Answers.ts"
import { toModelError } from "./AnthropicErrors.ts"
import { toReply } from "./AnthropicReply.ts"
import { defaultModel, toParams } from "./AnthropicRequest.ts"
import { AnthropicStream } from "./AnthropicStream.ts"
import { boundedFetch, sdkTimeout } from "./BoundedFetch.ts"
import { type LanguageModel, ModelError, type ModelRequest, type VendorOptions } from "./LanguageModel.ts"

/** Platform documentation, "Messages: request size limits" and "Vision"; a part of the bytes is left for what is not ours. */
const limits = {
  bytes: 31 * 1024 * 1024,
  images: 100,
  // Of requests with more than 20 images no side may exceed 2000.
  picture: { bytes: 5 * 1024 * 1024, side: 8000, bestSide: 2000 }
}

/** Anthropic's Messages API through the official SDK, which is loaded when first used. */
export const make = (options: VendorOptions) =>
  Effect.gen(function* () {
    const sdk = yield* Effect.cached(Effect.promise(() => import("@anthropic-ai/sdk")))
    const client = yield* Effect.cached(
      Effect.map(
        sdk,
        ({ default: Anthropic }) =>
          new Anthropic({
            apiKey: Redacted.value(options.apiKey),
            baseURL: options.baseUrl ?? null,
            defaultHeaders: Redacted.value(options.headers),
            maxRetries: 0,
            timeout: sdkTimeout,
            fetch: boundedFetch(options.silence)
          })
      )
    )
    const failed = Effect.map(sdk, ({ default: Anthropic }) => (cause: unknown): ModelError => {
      if (!(cause instanceof Anthropic.APIError)) return unreadable
      return cause.cause instanceof Error ? unreachable(cause.cause) : toModelError(cause)
    })
    /** Names of models for which the endpoint refuses to stream. */
    const unstreamed = new Set<string>()

    const ask = Effect.fnUntraced(function* (request: ModelRequest, isStreamed: boolean) {
      const { APIError } = yield* sdk
      const anthropic = yield* client
      const toError = yield* failed
      const body = { ...toParams(request), ...(isStreamed ? { stream: true } : {}) }
      const response = yield* Effect.tryPromise({
        try: (signal) => anthropic.post("/v1/messages", { body, signal }).asResponse(),
        catch: toError
      })
      const answer = yield* readAnswer("Anthropic's", response, new AnthropicStream(request.hear))
      const failure = fieldsOf(answer)
      return failure.type === "error"
        ? yield* toModelError(APIError.generate(statusOf(failure), failure, undefined, response.headers))
        : yield* toReply(answer)
    })

    const generate = Effect.fnUntraced(function* (request: ModelRequest) {
      const model = request.model ?? defaultModel
      yield* Effect.annotateCurrentSpan({ "gen_ai.provider.name": "anthropic", "gen_ai.request.model": model })
      if (unstreamed.has(model)) return yield* ask(request, false)
      return yield* Effect.catchIf(
        ask(request, true),
        ({ message, reason }) => reason === "InvalidRequest" && isStreamRefused(message),
        () => {
          unstreamed.add(model)
          return ask(request, false)
        }
      )
    })
    const list = Effect.gen(function* () {
      const anthropic = yield* client
      const toError = yield* failed
      const page = yield* Effect.tryPromise({
        try: (signal) => anthropic.models.list({ limit: 100 }, { signal }),
        catch: toError
      })
      return yield* toModels(page)
    }).pipe(Effect.withSpan("Anthropic.list"))
    return { load: Effect.asVoid(client), generate, list, limits } satisfies LanguageModel
  })

const unreadable = new ModelError({ reason: "Unavailable", message: "Anthropic's answer could not be read" })
const unreachable = ({ message }: Error) => new ModelError({ reason: "Unavailable", message: `Anthropic: ${message}` })

/** The status that an error has where it is no part of a stream: platform documentation, "Errors". */
const statuses = new Map<unknown, number>([
  ["invalid_request_error", 400],
  ["authentication_error", 401],
  ["billing_error", 402],
  ["permission_error", 403],
  ["not_found_error", 404],
  ["request_too_large", 413],
  ["rate_limit_error", 429],
  ["api_error", 500],
  ["timeout_error", 504],
  ["overloaded_error", 529]
])

const statusOf = ({ error }: Fields): number => statuses.get(fieldsOf(error).type) ?? 500

/** Of GET /v1/models; older models say nothing of their window, which is 200000 then. */
const decodeModels = decodeAnswer(
  Schema.Struct({
    data: Schema.Array(
      Schema.Struct({
        id: Schema.String,
        display_name: Schema.String,
        max_input_tokens: Schema.optionalKey(Schema.NullOr(Schema.Finite))
      })
    )
  })
)

const toModels = (page: unknown): Effect.Effect<ReadonlyArray<Model>, ModelError> =>
  decodeModels(page).pipe(
    Effect.map(({ data }) =>
      data.map(
        ({ display_name, id, max_input_tokens }): Model => ({
          provider: "anthropic",
          name: id,
          title: display_name,
          contextWindow: max_input_tokens ?? 200_000
        })
      )
    ),
    Effect.mapError(() => unexpectedShape("Anthropic's", page))
  )
