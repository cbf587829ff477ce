import { Duration, Effect, Redacted, Schema } from "effect"
import type { Model } from "../domain/Model.ts"
import { decodeAnswer, unexpectedShape } from "./Answers.ts"
import { toModelError } from "./AnthropicErrors.ts"
import { toReply } from "./AnthropicReply.ts"
import { defaultModel, toParams } from "./AnthropicRequest.ts"
import { boundedFetch } from "./BoundedFetch.ts"
import { type LanguageModel, ModelError, type ModelRequest } from "./LanguageModel.ts"

/** A reply of that size takes minutes; beyond this the connection is dead. */
const patience = Duration.minutes(10)

/** Platform documentation, "Messages: request size limits" and "Vision"; a part of the bytes is left for what is not ours. */
const limits = {
  bytes: 31 * 1024 * 1024,
  images: 100,
  // Of requests with more than 20 images no side may exceed 2000.
  picture: { bytes: 5 * 1024 * 1024, side: 8000, bestSide: 2000 }
}

/** Anthropic's Messages API through the official SDK, which is loaded when first used. */
export const make = (options: {
  readonly apiKey: Redacted.Redacted
  readonly baseUrl: string | undefined
  readonly headers: Redacted.Redacted<Readonly<Record<string, string>>>
}) =>
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
            timeout: Duration.toMillis(patience),
            fetch: boundedFetch
          })
      )
    )
    const failed = Effect.map(
      sdk,
      ({ default: Anthropic }) =>
        (cause: unknown): ModelError =>
          cause instanceof Anthropic.APIError
            ? toModelError(cause)
            : new ModelError({ reason: "Unavailable", message: "Anthropic's answer could not be read" })
    )
    const generate = Effect.fnUntraced(function* (request: ModelRequest) {
      yield* Effect.annotateCurrentSpan({
        "gen_ai.provider.name": "anthropic",
        "gen_ai.request.model": request.model ?? defaultModel
      })
      const anthropic = yield* client
      const toError = yield* failed
      const message = yield* Effect.tryPromise({
        try: (signal) => anthropic.messages.create(toParams(request), { signal }),
        catch: toError
      })
      return yield* toReply(message)
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
