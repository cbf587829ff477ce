import { STATUS_CODES } from "node:http"
import { ByteSize, Duration, Effect, Option, Redacted, Schema } from "effect"
import { FetchHttpClient, HttpClient, HttpClientRequest, HttpIncomingMessage } from "effect/http"
import { Settings } from "../config/Settings.ts"
import { ModelsUnavailable } from "../domain/TaskErrors.ts"
import { boundedModels, decodeAnswer } from "./Answers.ts"
import { boundedFetch } from "./BoundedFetch.ts"
import { LanguageModels, type ListedModel } from "./LanguageModel.ts"
import { headersFor } from "./Providers.ts"
import { fromLiteLLM, windowOfShown, windowsOfLMStudio, windowsOfOllama } from "./ProxyModels.ts"

const patience = Duration.seconds(10)

/** What only completes a list must not keep it waiting. */
const briefPatience = Duration.seconds(2)

const largestList = ByteSize.megabytes(16)

/** Models of Ollama of which the details are asked for. */
const mostShown = 20

/** A conversation with pictures does not fit into fewer tokens; Ollama cuts its beginning off without a word. */
const smallWindow = 16_000

/** GET or POST at the proxy; the JSON that it answers. */
const makeAsk = Effect.gen(function* () {
  const settings = yield* Settings
  const client = yield* Effect.provide(HttpClient.HttpClient, FetchHttpClient.layer)
  const withKey = Option.match(settings.llmProxyApiKey, {
    onNone: () => (request: HttpClientRequest.HttpClientRequest) => request,
    onSome: (key) => HttpClientRequest.bearerToken(key)
  })
  return Effect.fnUntraced(
    function* (request: HttpClientRequest.HttpClientRequest) {
      const response = yield* client.execute(
        request.pipe(
          HttpClientRequest.acceptJson,
          withKey,
          HttpClientRequest.setHeaders(Redacted.value(headersFor(settings, "proxy")))
        )
      )
      if (response.status < 200 || response.status > 299) {
        return yield* unavailable(STATUS_CODES[response.status] ?? String(response.status))
      }
      return yield* Effect.provideService(response.json, HttpIncomingMessage.MaxBodySize, largestList)
    },
    Effect.provideService(FetchHttpClient.Fetch, boundedFetch(settings.modelSilence))
  )
})

type Ask = Effect.Success<typeof makeAsk>

/** The windows that LM Studio or Ollama serve, which their OpenAI-compatible lists do not say. */
const localWindows = (ask: Ask, root: string, names: ReadonlyArray<string>) => {
  const ofStudio = ask(HttpClientRequest.get(`${root}/api/v0/models`)).pipe(
    Effect.flatMap(decodeData),
    Effect.map(({ data }) => windowsOfLMStudio(data))
  )
  const ofLoaded = ask(HttpClientRequest.get(`${root}/api/ps`)).pipe(
    Effect.flatMap(decodeLoaded),
    Effect.map(({ models }) => windowsOfOllama(models))
  )
  const windowOf = (model: string) =>
    ask(HttpClientRequest.bodyJsonUnsafe(HttpClientRequest.post(`${root}/api/show`), { model })).pipe(
      Effect.map((shown) => ({ model, window: windowOfShown(shown) })),
      Effect.orElseSucceed(() => ({ model, window: undefined }))
    )
  const ofOllama = Effect.gen(function* () {
    const loaded = yield* ofLoaded
    const shown = yield* Effect.forEach(names.slice(0, mostShown), windowOf, { concurrency: 4 })
    return new Map([
      ...shown.flatMap(({ model, window }) => (window === undefined ? [] : [[model, window] as const])),
      ...loaded
    ])
  })
  const orNone = <E>(windows: Effect.Effect<ReadonlyMap<string, number>, E>) =>
    windows.pipe(
      Effect.timeout(briefPatience),
      Effect.orElseSucceed((): ReadonlyMap<string, number> => new Map())
    )
  return Effect.map(
    Effect.all([orNone(ofStudio), orNone(ofOllama)], { concurrency: 2 }),
    ([studio, ollama]) => new Map([...studio, ...ollama])
  )
}

const rootOf = (url: string) => url.replace(/\/v\d+$/, "")

/** The list of an OpenAI-compatible endpoint, as it is now. */
export const makeProxyList = Effect.gen(function* () {
  const languages = yield* LanguageModels
  const ask = yield* makeAsk

  /** LiteLLM's own list, which says under which name a model is asked for. */
  const ofLiteLLM = (url: string) =>
    ask(HttpClientRequest.get(`${rootOf(url)}/model/info`)).pipe(
      Effect.flatMap(decodeModelInfo),
      Effect.map(({ data }) =>
        boundedModels(
          data.map(({ litellm_params, model_info, model_name }) =>
            fromLiteLLM(litellm_params.model, model_name, model_info)
          )
        )
      ),
      Effect.timeout(patience),
      Effect.catchTags({
        HttpClientError: (error) => unavailable(error.message),
        TimeoutError: () => unavailable("it did not answer"),
        SchemaError: (error) => unavailable(`unexpected answer. ${error.message}`)
      })
    )

  const completed = Effect.fnUntraced(function* (url: string, models: ReadonlyArray<ListedModel>) {
    const names = models.flatMap(({ contextWindow, name }) => (contextWindow === undefined ? [name] : []))
    if (names.length === 0) return models
    const windows = yield* localWindows(ask, rootOf(url), names)
    const small = [...windows].filter(([, window]) => window < smallWindow)
    if (small.length > 0) {
      yield* Effect.logWarning(smallWindows).pipe(Effect.annotateLogs({ windows: Object.fromEntries(small) }))
    }
    return models.map((model) => ({ ...model, contextWindow: model.contextWindow ?? windows.get(model.name) }))
  })

  /** Other endpoints have OpenAI's list; if that fails too, LiteLLM's failure is told, as in the original. */
  return (url: string) =>
    ofLiteLLM(url).pipe(
      Effect.map((models) => ({ models, isLiteLLM: true })),
      Effect.catch((error) =>
        Effect.flatMap(languages.of("proxy"), ({ list }) => list).pipe(
          Effect.timeout(patience),
          Effect.mapError(() => error),
          Effect.flatMap((models) => completed(url, models)),
          Effect.map((models) => ({ models, isLiteLLM: false }))
        )
      )
    )
})

const smallWindows =
  "The server of models serves a small context window, and forgets the beginning of long tasks. Set 32000 tokens or more there (Ollama: OLLAMA_CONTEXT_LENGTH, LM Studio: the model's context length)"

const unavailable = (why: string) =>
  Effect.fail(new ModelsUnavailable({ message: `Failed to fetch models from proxy: ${why}` }))

/** LiteLLM's GET /model/info, as far as it is used here. */
const decodeModelInfo = decodeAnswer(
  Schema.Struct({
    data: Schema.Array(
      Schema.Struct({
        model_name: Schema.String,
        litellm_params: Schema.Struct({ model: Schema.String }),
        model_info: Schema.optionalKey(Schema.Json)
      })
    )
  })
)
const decodeData = decodeAnswer(Schema.Struct({ data: Schema.Array(Schema.Json) }))
const decodeLoaded = decodeAnswer(Schema.Struct({ models: Schema.Array(Schema.Json) }))
