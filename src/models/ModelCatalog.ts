import { STATUS_CODES } from "node:http"
import { ByteSize, Context, Duration, Effect, Layer, Option, Schema } from "effect"
import { HttpClient, HttpClientRequest, HttpIncomingMessage } from "effect/http"
import { Settings } from "../config/Settings.ts"
import type { Model } from "../domain/Model.ts"
import { ModelsUnavailable, NoModelConfigured } from "../domain/TaskErrors.ts"
import { boundedModels, decodeAnswer } from "./Answers.ts"
import { LanguageModels } from "./LanguageModel.ts"
import { offeredModels } from "./OfferedModels.ts"
import { providers } from "./Providers.ts"

const patience = Duration.seconds(10)

const largestList = ByteSize.megabytes(16)

/** What the original claims of every model of a proxy, whatever the proxy says (golden/models.json). */
const proxyContextWindow = 128_000

/** Which models a task may ask for. */
export class ModelCatalog extends Context.Service<
  ModelCatalog,
  {
    /** With BYTEBOT_LLM_PROXY_URL the proxy's models only, else those of every provider that has a key (docs/contract/rest.md, GET /tasks/models). */
    readonly list: Effect.Effect<ReadonlyArray<Model>, ModelsUnavailable>
    /** For tasks that name none: BYTEBOT_DEFAULT_MODEL, else the first of the list. */
    readonly default: Effect.Effect<Model, ModelsUnavailable | NoModelConfigured>
  }
>()("bytebot/ModelCatalog") {
  static readonly layer = Layer.effect(
    ModelCatalog,
    Effect.gen(function* () {
      const settings = yield* Settings
      const client = yield* HttpClient.HttpClient

      const languages = yield* LanguageModels
      const withKey = Option.match(settings.llmProxyApiKey, {
        onNone: () => (request: HttpClientRequest.HttpClientRequest) => request,
        onSome: (key) => HttpClientRequest.bearerToken(key)
      })

      const usable = providers.filter(({ make }) => Option.isSome(make(settings)))
      const isUsable = ({ provider }: Model) => usable.some(({ name }) => name === provider)
      const configured = Option.isSome(settings.models)
        ? Effect.succeed(settings.models.value.filter(isUsable))
        : yield* offeredModels(usable)

      /** LiteLLM's own list, which says under which name a model is asked for. */
      const ofLiteLLM = Effect.fn("ModelCatalog.ofLiteLLM")(
        function* (url: string) {
          const response = yield* client.execute(
            HttpClientRequest.get(`${url.replace(/\/v\d+$/, "")}/model/info`).pipe(
              HttpClientRequest.acceptJson,
              withKey
            )
          )
          if (response.status < 200 || response.status > 299) {
            return yield* new ModelsUnavailable({
              message: `Failed to fetch models from proxy: ${STATUS_CODES[response.status] ?? response.status}`
            })
          }
          const { data } = yield* Effect.flatMap(
            Effect.provideService(response.json, HttpIncomingMessage.MaxBodySize, largestList),
            decodeModelInfo
          )
          return boundedModels(
            data.map(
              (entry): Model => ({
                provider: "proxy",
                name: entry.litellm_params.model,
                title: entry.model_name,
                contextWindow: proxyContextWindow
              })
            )
          )
        },
        Effect.timeout(patience),
        Effect.catchTags({
          HttpClientError: (error) =>
            Effect.fail(new ModelsUnavailable({ message: `Failed to fetch models from proxy: ${error.message}` })),
          TimeoutError: () =>
            Effect.fail(new ModelsUnavailable({ message: "Failed to fetch models from proxy: it did not answer" })),
          SchemaError: (error) =>
            Effect.fail(
              new ModelsUnavailable({
                message: `Failed to fetch models from proxy: unexpected answer. ${error.message}`
              })
            )
        })
      )

      /** Other endpoints have OpenAI's list; if that fails too, LiteLLM's failure is told, as in the original. */
      const ofProxy = (url: string) =>
        ofLiteLLM(url).pipe(
          Effect.catch((error) =>
            Effect.flatMap(languages.of("proxy"), ({ list }) => list).pipe(
              Effect.timeout(patience),
              Effect.mapError(() => error)
            )
          )
        )

      const list = Option.match(settings.llmProxyUrl, { onNone: () => configured, onSome: ofProxy })

      return ModelCatalog.of({
        list,
        default: Effect.gen(function* () {
          const models = yield* list
          const wanted = Option.getOrUndefined(settings.defaultModel)
          const model =
            wanted === undefined
              ? models[0]
              : models.find((one) => wanted === `${one.provider}/${one.name}` || wanted === one.name)
          return model ?? (yield* new NoModelConfigured())
        }).pipe(Effect.withSpan("ModelCatalog.default"))
      })
    })
  )
}

/** LiteLLM's GET /model/info, as far as it is used here. */
const decodeModelInfo = decodeAnswer(
  Schema.Struct({
    data: Schema.Array(
      Schema.Struct({ model_name: Schema.String, litellm_params: Schema.Struct({ model: Schema.String }) })
    )
  })
)
