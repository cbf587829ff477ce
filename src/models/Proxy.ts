import { Duration, Effect, Option, Redacted, Ref, Schema } from "effect"
import { currentTraceparent, traceparentHeader } from "../observability/TraceParent.ts"
import { decodeAnswer, unexpectedShape } from "./Answers.ts"
import type { LanguageModel, ModelError, ModelRequest } from "./LanguageModel.ts"
import type { OpenAIProblem } from "./OpenAIErrors.ts"
import { loadOpenAI } from "./OpenAISdk.ts"
import { toModelError } from "./ProxyErrors.ts"
import { fromOpenAIList } from "./ProxyModels.ts"
import { toReply } from "./ProxyReply.ts"
import { defaultModel, toBody } from "./ProxyRequest.ts"

/** Local models are slow; beyond this the connection is dead. */
const patience = Duration.minutes(10)

/** What the narrowest of the large providers behind a proxy takes; a local server may be set to less. */
const limits = {
  bytes: 20 * 1024 * 1024,
  images: 50,
  picture: { bytes: 5 * 1024 * 1024, side: 8000, bestSide: 2000 }
}

/**
 * Where the API may be: LiteLLM has it at its root and under /v1, Ollama, LM Studio and vLLM under /v1 alone; OpenRouter's URL ends in
 * /api/v1. A URL without a version is tried as it is, then with /v1.
 */
const placesOf = (url: string): ReadonlyArray<string> => (/\/v\d+$/.test(url) ? [url] : [url, `${url}/v1`])

/** Any OpenAI-compatible endpoint (Chat Completions) through OpenAI's official SDK, which is loaded when first used. */
export const make = (options: { readonly url: string; readonly apiKey: Redacted.Redacted | undefined }) =>
  Effect.gen(function* () {
    const places = yield* Ref.make(placesOf(options.url))
    const loaded = yield* Effect.cached(loadOpenAI("The LLM proxy's", patience))
    // Some want no key, but the SDK does.
    const apiKey = options.apiKey === undefined ? "none" : Redacted.value(options.apiKey)

    /** Asks where the API is; the first place that knows the path is where it stays. */
    const ask = Effect.fnUntraced(function* (method: "get" | "post", path: string, body?: unknown) {
      const { clientOf, failed } = yield* loaded
      const traceparent = yield* currentTraceparent
      const headers = Option.match(traceparent, {
        onNone: () => ({}),
        onSome: (value) => ({ [traceparentHeader]: value })
      })
      const at = (place: string) =>
        Effect.tryPromise({
          try: (signal) =>
            method === "get"
              ? clientOf(apiKey, place).get<unknown>(path, { signal, headers })
              : clientOf(apiKey, place).post<unknown>(path, { body, signal, headers }),
          catch: failed
        })
      const [first = options.url, second] = yield* Ref.get(places)
      if (second === undefined) return yield* at(first)
      return yield* at(first).pipe(
        Effect.tap(() => Ref.set(places, [first])),
        Effect.catchIf(isUnknownPath, (unknownPath) =>
          at(second).pipe(
            Effect.tap(() => Ref.set(places, [second])),
            Effect.catchIf(isUnknownPath, () => Effect.fail(unknownPath))
          )
        )
      )
    })

    const generate = Effect.fnUntraced(function* (request: ModelRequest) {
      yield* Effect.annotateCurrentSpan({
        "gen_ai.provider.name": "proxy",
        "gen_ai.request.model": request.model ?? defaultModel
      })
      const answer = yield* inWords(ask("post", "/chat/completions", toBody(request)))
      return yield* toReply(answer)
    })

    const list = Effect.gen(function* () {
      const answer = yield* inWords(ask("get", "/models"))
      const { data } = yield* Effect.mapError(decodeModels(answer), () => unexpectedShape("The LLM proxy's", answer))
      return fromOpenAIList(data)
    }).pipe(Effect.withSpan("Proxy.list"))

    return { load: Effect.asVoid(loaded), generate, list, limits } satisfies LanguageModel
  })

const isUnknownPath = (error: ModelError | OpenAIProblem): error is OpenAIProblem =>
  error._tag === "OpenAIProblem" && error.status === 404

const inWords = <A>(effect: Effect.Effect<A, ModelError | OpenAIProblem>): Effect.Effect<A, ModelError> =>
  Effect.catchTag(effect, "OpenAIProblem", (problem) => Effect.fail(toModelError(problem)))

/** Of GET /v1/models. */
const decodeModels = decodeAnswer(Schema.Struct({ data: Schema.Array(Schema.Json) }))
