import { Clock, Context, Duration, Effect, FiberHandle, Layer, Option } from "effect"
import { Settings } from "../config/Settings.ts"
import type { Model } from "../domain/Model.ts"
import { type ModelsUnavailable, NoModelConfigured } from "../domain/TaskErrors.ts"
import { shownModels } from "./Answers.ts"
import { ModelFacts } from "./ModelFacts.ts"
import { offeredModels } from "./OfferedModels.ts"
import { providers } from "./Providers.ts"
import { makeProxyList } from "./ProxyList.ts"

/** What the original claims of every model of LiteLLM, whatever it says (golden/models.json). */
export const claimedWindow = 128_000

/** How long a proxy's list is used for new tasks before it is renewed behind them. */
const freshFor = Duration.toMillis("5 minutes")

const pricePatience = Duration.seconds(5)

/** Which models a task may ask for. */
export class ModelCatalog extends Context.Service<
  ModelCatalog,
  {
    /** With BYTEBOT_LLM_PROXY_URL the proxy's models only, else those of every provider that has a key (docs/contract/rest.md, GET /tasks/models). */
    readonly list: Effect.Effect<ReadonlyArray<Model>, ModelsUnavailable>
    /** For tasks that name none: BYTEBOT_DEFAULT_MODEL, else the first of the list. */
    readonly default: Effect.Effect<Model, ModelsUnavailable | NoModelConfigured>
    /** Has the lists renewed, unless they are new, which warns of keys that are refused, and waits for nothing. */
    readonly renew: Effect.Effect<void>
    /** Asks for prices where an endpoint has them, for a few seconds at most. */
    readonly learnPrices: Effect.Effect<void>
  }
>()("bytebot/ModelCatalog") {
  static readonly layer = Layer.effect(
    ModelCatalog,
    Effect.gen(function* () {
      const settings = yield* Settings
      const usable = providers.filter(({ make }) => Option.isSome(make(settings)))
      const isUsable = ({ provider }: Model) => usable.some(({ name }) => name === provider)
      const offered = yield* offeredModels(usable)
      const configured = Option.isSome(settings.models)
        ? Effect.succeed(settings.models.value.filter(isUsable))
        : offered
      const proxied = Option.isSome(settings.llmProxyUrl) ? yield* proxyModels(settings.llmProxyUrl.value) : undefined

      const list = proxied?.list ?? configured
      return ModelCatalog.of({
        list,
        renew: proxied?.renew ?? Effect.asVoid(offered),
        learnPrices: proxied === undefined ? Effect.void : Effect.ignore(Effect.timeout(proxied.list, pricePatience)),
        default: Effect.gen(function* () {
          const models = yield* proxied?.recent ?? configured
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

/** A proxy's models: `list` asks it each time, `recent` answers at once what it said last, once it has said something. */
const proxyModels = Effect.fnUntraced(function* (url: string) {
  const facts = yield* ModelFacts
  const listOf = yield* makeProxyList
  const renewal = yield* FiberHandle.make()
  let last: { readonly models: ReadonlyArray<Model>; readonly at: number } | undefined

  const list = Effect.gen(function* () {
    const { isLiteLLM, models } = yield* listOf(url)
    yield* facts.learn(models)
    const shown = shownModels(models).map((model) => (isLiteLLM ? { ...model, contextWindow: claimedWindow } : model))
    last = { models: shown, at: yield* Clock.currentTimeMillis }
    return shown
  }).pipe(Effect.withSpan("ModelCatalog.proxy"))

  const renew = Effect.gen(function* () {
    if (last !== undefined && (yield* Clock.currentTimeMillis) - last.at < freshFor) return
    yield* FiberHandle.run(renewal, Effect.ignore(list), { onlyIfMissing: true })
  })

  const recent = Effect.suspend(() => (last === undefined ? list : Effect.as(renew, last.models)))
  return { list, recent, renew }
})
