import { STATUS_CODES } from "node:http"
import { Context, Duration, Effect, Layer, Option, Schema } from "effect"
import { HttpClient, HttpClientRequest } from "effect/http"
import { Settings } from "../../config/Settings.ts"
import type { Model } from "../../domain/Model.ts"
import { ModelsUnavailable, NoModelConfigured } from "../../domain/TaskErrors.ts"

const patience = Duration.seconds(10)

/** What the original claims of every model of a proxy, whatever the proxy says (golden/models.json). */
const proxyContextWindow = 128_000

/**
 * Models on offer when BYTEBOT_MODELS is not set, for each provider that this version can run. Names: the type
 * definitions of the vendor's SDK (those not marked deprecated).
 */
const anthropicModels: ReadonlyArray<Model> = [
  { provider: "anthropic", name: "claude-opus-5-5", title: "Claude Opus 5.5", contextWindow: 200_000 },
  { provider: "anthropic", name: "claude-sonnet-5-5", title: "Claude Sonnet 5.5", contextWindow: 200_000 },
  { provider: "anthropic", name: "claude-haiku-5-5", title: "Claude Haiku 5.5", contextWindow: 200_000 }
]

/** Which models a task may ask for. */
export class ModelCatalog extends Context.Service<
  ModelCatalog,
  {
    /** With BYTEBOT_LLM_PROXY_URL the proxy's models only, else those of every provider that has a key (rest.md, GET /tasks/models). */
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

      const configured = Option.getOrElse(settings.models, () => anthropicModels).filter(
        (model) => model.provider === "anthropic" && Option.isSome(settings.anthropicApiKey)
      )

      const ofProxy = Effect.fn("ModelCatalog.ofProxy")(
        function* (url: string) {
          const response = yield* client.execute(
            HttpClientRequest.get(`${url}/model/info`).pipe(HttpClientRequest.acceptJson)
          )
          if (response.status < 200 || response.status > 299) {
            return yield* new ModelsUnavailable({
              message: `Failed to fetch models from proxy: ${STATUS_CODES[response.status] ?? response.status}`
            })
          }
          const { data } = yield* Effect.flatMap(response.json, decodeModelInfo)
          return data.map(
            (entry): Model => ({
              provider: "proxy",
              name: entry.litellm_params.model,
              title: entry.model_name,
              contextWindow: proxyContextWindow
            })
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

      const list = Option.match(settings.llmProxyUrl, { onNone: () => Effect.succeed(configured), onSome: ofProxy })

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
const decodeModelInfo = Schema.decodeUnknownEffect(
  Schema.Struct({
    data: Schema.Array(
      Schema.Struct({ model_name: Schema.String, litellm_params: Schema.Struct({ model: Schema.String }) })
    )
  })
)
