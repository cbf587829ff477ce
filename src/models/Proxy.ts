import { Clock, Effect, Option, Redacted, Schema } from "effect"
import { currentTraceparent, traceparentHeader } from "../observability/TraceParent.ts"
import { type Assembly, readAnswer } from "./AnswerStream.ts"
import { decodeAnswer, unexpectedShape } from "./Answers.ts"
import type { EndpointOptions, LanguageModel, ListedModel, ModelError, ModelRequest } from "./LanguageModel.ts"
import type { OpenAIProblem } from "./OpenAIErrors.ts"
import { loadOpenAI } from "./OpenAISdk.ts"
import { toModelError } from "./ProxyErrors.ts"
import { type Habits, learned, noHabits, streamingFields } from "./ProxyHabits.ts"
import { fromOpenAIList } from "./ProxyModels.ts"
import { toReply } from "./ProxyReply.ts"
import { defaultModel, toBody } from "./ProxyRequest.ts"
import { ProxyStream } from "./ProxyStream.ts"

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
const placesOf = (url: string): readonly [string, string?] => (/\/v\d+$/.test(url) ? [url] : [url, `${url}/v1`])

/** Where a model is asked, until an instant in ms. */
interface Place {
  readonly url: string
  readonly until: number
}

/** Milliseconds for which one place is asked where none has answered as it should. */
const searchedAgainAfter = 60_000

/** Any OpenAI-compatible endpoint (Chat Completions) through OpenAI's official SDK, which is loaded when first used. */
export const make = (
  options: EndpointOptions & { readonly url: string; readonly apiKey: Redacted.Redacted | undefined }
) =>
  Effect.gen(function* () {
    const places = new Map<string, Place>()
    const habits = new Map<string, Habits>()
    const loaded = yield* Effect.cached(loadOpenAI("The LLM proxy's", options.silence))
    // Some want no key, but the SDK does.
    const apiKey = options.apiKey === undefined ? "none" : Redacted.value(options.apiKey)

    const ask = Effect.fnUntraced(function* (
      place: string,
      method: "get" | "post",
      path: string,
      assembly: Assembly,
      body?: unknown
    ) {
      const { clientOf, failed } = yield* loaded
      const traceparent = yield* currentTraceparent
      const headers = Option.match(traceparent, {
        onNone: () => ({}),
        onSome: (value) => ({ [traceparentHeader]: value })
      })
      const response = yield* Effect.tryPromise({
        try: (signal) =>
          clientOf(apiKey, place, Redacted.value(options.headers))
            [method](path, { body, signal, headers })
            .asResponse(),
        catch: failed
      })
      return yield* readAnswer("The LLM proxy's", response, assembly)
    })

    /** Finds where the API is for a model: the first place with an answer as it should be is where it stays. */
    const located = Effect.fnUntraced(function* <A>(
      model: string,
      at: (place: string) => Effect.Effect<A, ModelError | OpenAIProblem>
    ) {
      const now = yield* Clock.currentTimeMillis
      const known = places.get(model)
      if (known !== undefined && now < known.until) return yield* at(known.url)
      const [first, second] = placesOf(options.url)
      const found = (url: string) =>
        Effect.tap(at(url), () => Effect.sync(() => places.set(model, { url, until: Number.POSITIVE_INFINITY })))
      if (second === undefined) return yield* at(first)
      return yield* Effect.catchIf(found(first), isElsewhere, (wrong) =>
        Effect.catchIf(found(second), isElsewhere, (other) => {
          const isSecond = wrong._tag === "OpenAIProblem" && other._tag === "OpenAIProblem"
          places.set(model, { url: isSecond ? second : first, until: now + searchedAgainAfter })
          return Effect.fail(isSecond ? other : wrong)
        })
      )
    })

    /** Asks again where a refusal tells what the model's endpoint wants. */
    const chat = (place: string, model: string, request: ModelRequest): ReturnType<typeof ask> => {
      const known = habits.get(model) ?? noHabits
      return Effect.catchTag(
        ask(place, "post", "/chat/completions", new ProxyStream(request.hear), {
          ...toBody(request, known),
          ...streamingFields[known.streaming]
        }),
        "OpenAIProblem",
        (problem) => {
          const next = learned(known, problem)
          if (next === undefined) return Effect.fail(problem)
          habits.set(model, next)
          return chat(place, model, request)
        }
      )
    }

    const generate = Effect.fnUntraced(function* (request: ModelRequest) {
      const model = request.model ?? defaultModel
      yield* Effect.annotateCurrentSpan({ "gen_ai.provider.name": "proxy", "gen_ai.request.model": model })
      return yield* inWords(located(model, (place) => Effect.flatMap(chat(place, model, request), toReply)))
    })

    const list = located("", (place) => Effect.flatMap(ask(place, "get", "/models", new ProxyStream()), toModels)).pipe(
      inWords,
      Effect.withSpan("Proxy.list")
    )

    return { load: Effect.asVoid(loaded), generate, list, limits } satisfies LanguageModel
  })

/** What a path that is none is answered with: 404 or 405, a web page, or, by LM Studio, an error in a 200. */
const isElsewhere = (error: ModelError | OpenAIProblem): boolean =>
  error._tag === "OpenAIProblem" ? error.status === 404 || error.status === 405 : error.shape !== undefined

const inWords = <A>(effect: Effect.Effect<A, ModelError | OpenAIProblem>): Effect.Effect<A, ModelError> =>
  Effect.catchTag(effect, "OpenAIProblem", (problem) => Effect.fail(toModelError(problem)))

/** Of GET /v1/models. */
const decodeModels = decodeAnswer(Schema.Struct({ data: Schema.Array(Schema.Json) }))

const toModels = (answer: unknown): Effect.Effect<ReadonlyArray<ListedModel>, ModelError> =>
  decodeModels(answer).pipe(
    Effect.map(({ data }) => fromOpenAIList(data)),
    Effect.mapError(() => unexpectedShape("The LLM proxy's", answer))
  )
