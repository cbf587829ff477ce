import { Effect, Redacted, Schema } from "effect"
import type { Model } from "../domain/Model.ts"
import { isStreamRefused } from "./AnswerStream.ts"
import { decodeAnswer } from "./Answers.ts"
import { boundedFetch, sdkTimeout } from "./BoundedFetch.ts"
import { toModelError } from "./GoogleErrors.ts"
import { toReply } from "./GoogleReply.ts"
import { toContents, toDeclaration, toThinking } from "./GoogleRequest.ts"
import { asEventStream, GoogleStream } from "./GoogleStream.ts"
import { type LanguageModel, ModelError, type ModelRequest, type VendorOptions } from "./LanguageModel.ts"

/** For stored tasks that name no model. */
const defaultModel = "gemini-4-argon"

/** The version that has every model, previews too; the SDK's own choice depends on its release. */
const apiVersion = "v1beta"

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
export const make = (options: VendorOptions) =>
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
              fetch: asEventStream(boundedFetch(options.silence)),
              timeout: sdkTimeout,
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
    const notStreamed = Effect.map(
      sdk,
      ({ ApiError }) =>
        (cause: unknown): boolean =>
          cause instanceof ApiError &&
          ((unknownMethod.has(cause.status) && !isGooglesOwn.test(cause.message)) ||
            (cause.status < 500 && isStreamRefused(cause.message)))
    )
    /** Names of models that are not streamed. */
    const unstreamed = new Set<string>()

    const ask = Effect.fnUntraced(function* (request: ModelRequest, model: string, isStreamed: boolean) {
      const enums = yield* sdk
      const { models: google } = yield* client
      const toError = yield* failed
      const isRefused = yield* notStreamed
      const assembly = new GoogleStream(request.hear)
      const answer = yield* Effect.tryPromise({
        try: async (abortSignal) => {
          const asked = toParams(request, model, enums, abortSignal)
          if (!isStreamed) return google.generateContent(asked)
          for await (const chunk of await google.generateContentStream(asked)) assembly.add(chunk)
          return assembly.answer()
        },
        catch: (cause) => (isStreamed && isRefused(cause) ? new StreamRefused() : toError(cause))
      })
      return answer === undefined ? yield* unanswered(new Error("it broke off before its end")) : yield* toReply(answer)
    })

    const generate = Effect.fnUntraced(function* (request: ModelRequest) {
      const model = request.model ?? defaultModel
      yield* Effect.annotateCurrentSpan({ "gen_ai.provider.name": "gcp.gemini", "gen_ai.request.model": model })
      const whole = ask(request, model, false)
      const answer = unstreamed.has(model)
        ? whole
        : Effect.catchTag(ask(request, model, true), "StreamRefused", () =>
            Effect.tap(whole, () => Effect.sync(() => unstreamed.add(model)))
          )
      return yield* Effect.catchTag(answer, "StreamRefused", Effect.die)
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

type Enums = Pick<typeof import("@google/genai"), "FunctionCallingConfigMode" | "ThinkingLevel">

const toParams = (request: ModelRequest, model: string, enums: Enums, abortSignal: AbortSignal) => ({
  model,
  contents: toContents(request.turns, model),
  config: {
    abortSignal,
    systemInstruction: request.system,
    ...toThinking(request, model, enums.ThinkingLevel),
    ...(request.tools.length === 0 ? {} : { tools: [{ functionDeclarations: request.tools.map(toDeclaration) }] }),
    ...(request.toolChoice === "none" && request.tools.length > 0
      ? { toolConfig: { functionCallingConfig: { mode: enums.FunctionCallingConfigMode.NONE } } }
      : {})
  }
})

/** What gateways answer that have no method to stream. */
const unknownMethod = new Set([404, 405, 501])

/** Google's errors name their status (google.rpc.Code); one of a model that there is none of is final. */
const isGooglesOwn = /"status":\s*"NOT_FOUND"/

/** The endpoint does not stream. */
class StreamRefused extends Schema.TaggedError<StreamRefused>()("StreamRefused", {}) {}

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
