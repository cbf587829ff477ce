import { Duration, Effect, Redacted, Schema } from "effect"
import type { Model } from "../domain/Model.ts"
import { decodeAnswer } from "./Answers.ts"
import { boundedFetch } from "./BoundedFetch.ts"
import { toModelError } from "./GoogleErrors.ts"
import { toReply } from "./GoogleReply.ts"
import { toContents, toDeclaration, toThinking } from "./GoogleRequest.ts"
import { type LanguageModel, ModelError, type ModelRequest } from "./LanguageModel.ts"

/** For stored tasks that name no model. */
const defaultModel = "gemini-4-argon"

/** The version that has every model, previews too; the SDK's own choice depends on its release. */
const apiVersion = "v1beta"

/** A reply of many thoughts takes minutes; beyond this the connection is dead. */
const patience = Duration.minutes(10)

/**
 * ai.google.dev/gemini-api/docs/image-understanding: 20 MB for a request with inline data, of which a part is left for what is not ours;
 * Google's cloud documentation: 3000 images and documents.
 */
const limits = {
  bytes: 19 * 1024 * 1024,
  images: 3000,
  picture: { bytes: 7 * 1024 * 1024, side: 12_000, bestSide: 6000 }
}

/** Google's Gemini API through the official SDK, which is loaded when first used. */
export const make = (options: {
  readonly apiKey: Redacted.Redacted
  readonly baseUrl: string | undefined
  readonly headers: Redacted.Redacted<Readonly<Record<string, string>>>
}) =>
  Effect.gen(function* () {
    const sdk = yield* Effect.cached(Effect.promise(() => import("@google/genai")))
    const client = yield* Effect.cached(
      Effect.map(
        sdk,
        ({ GoogleGenAI }) =>
          new GoogleGenAI({
            apiKey: Redacted.value(options.apiKey),
            // Else the environment's variables for Google's cloud would decide.
            enterprise: false,
            httpOptions: {
              apiVersion,
              headers: { ...Redacted.value(options.headers) },
              fetch: boundedFetch,
              timeout: Duration.toMillis(patience),
              ...(options.baseUrl === undefined ? {} : { baseUrl: options.baseUrl })
            }
          })
      )
    )
    const failed = Effect.map(
      sdk,
      ({ ApiError }) =>
        (cause: unknown): ModelError =>
          cause instanceof ApiError ? toModelError(cause.status, cause.message) : unanswered(cause)
    )
    const generate = Effect.fnUntraced(function* (request: ModelRequest) {
      const model = request.model ?? defaultModel
      yield* Effect.annotateCurrentSpan({ "gen_ai.provider.name": "gcp.gemini", "gen_ai.request.model": model })
      const { FunctionCallingConfigMode, ThinkingLevel } = yield* sdk
      const google = yield* client
      const toError = yield* failed
      const answer = yield* Effect.tryPromise({
        try: (abortSignal) =>
          google.models.generateContent({
            model,
            contents: toContents(request.turns, model),
            config: {
              abortSignal,
              systemInstruction: request.system,
              ...toThinking(request, model, ThinkingLevel),
              ...(request.tools.length === 0
                ? {}
                : { tools: [{ functionDeclarations: request.tools.map(toDeclaration) }] }),
              ...(request.toolChoice === "none" && request.tools.length > 0
                ? { toolConfig: { functionCallingConfig: { mode: FunctionCallingConfigMode.NONE } } }
                : {})
            }
          }),
        catch: toError
      })
      return yield* toReply(answer)
    })
    const list = Effect.gen(function* () {
      const google = yield* client
      const toError = yield* failed
      const { page } = yield* Effect.tryPromise({
        try: (abortSignal) => google.models.list({ config: { abortSignal, pageSize: 1000 } }),
        catch: toError
      })
      return yield* toModels(page)
    }).pipe(Effect.withSpan("Google.list"))
    return { load: Effect.asVoid(client), generate, list, limits } satisfies LanguageModel
  })

const unanswered = (cause: unknown): ModelError => {
  const words = cause instanceof Error ? cause.message : "unknown failure"
  return new ModelError({ reason: "Unavailable", message: `Google: there was no answer that could be read (${words})` })
}

/** Of GET /v1beta/models, as the SDK renames it. */
const decodeModels = decodeAnswer(
  Schema.Array(
    Schema.Struct({
      name: Schema.String,
      displayName: Schema.optionalKey(Schema.String),
      inputTokenLimit: Schema.optionalKey(Schema.Finite),
      supportedActions: Schema.optionalKey(Schema.Array(Schema.String))
    })
  )
)

/** The list does not say who takes tools and images: Gemini's models do, but for those made for another purpose. */
const otherPurpose = /image|tts|audio|live|transcribe|omni|robotics|computer-use|embedding/

const toModels = (page: unknown): Effect.Effect<ReadonlyArray<Model>, ModelError> =>
  decodeModels(page).pipe(
    Effect.map((models) =>
      models.flatMap(({ displayName, inputTokenLimit, name: path, supportedActions }): ReadonlyArray<Model> => {
        const name = path.replace(/^models\//, "")
        const isOurs = name.startsWith("gemini-") && !otherPurpose.test(name)
        if (!isOurs || supportedActions?.includes("generateContent") !== true) return []
        return [{ provider: "google", name, title: displayName ?? name, contextWindow: inputTokenLimit ?? 1_048_576 }]
      })
    ),
    Effect.mapError(() => unanswered(new Error("the list of models has an unexpected shape")))
  )
