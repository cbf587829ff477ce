import { Context, Effect, Layer, Option } from "effect"
import { Settings } from "../config/Settings.ts"
import type { ListedModel } from "./LanguageModel.ts"
import { type Price, price, type Tariff } from "./ModelPrices.ts"
import { openAIWindow, rowOf } from "./ModelTable.ts"

interface Named {
  readonly provider: string
  readonly name?: string | undefined
}

/** Windows and prices of models: what their providers' endpoints have listed so far, else the table of published ones. */
export class ModelFacts extends Context.Service<
  ModelFacts,
  {
    readonly learn: (models: ReadonlyArray<ListedModel>) => Effect.Effect<void>
    /** Tokens; undefined where nothing is known. */
    readonly window: (model: Named) => number | undefined
    /** As BYTEBOT_MODEL_PRICES says, else as the endpoint lists it, else as published. */
    readonly tariff: (model: Named) => Tariff | undefined
  }
>()("bytebot/ModelFacts") {
  static readonly layer = Layer.effect(
    ModelFacts,
    Effect.gen(function* () {
      const { modelPrices } = yield* Settings
      const given = Option.getOrElse(modelPrices, () => ({}))
      const listed = new Map<string, ListedModel>()
      const keyOf = ({ name = "", provider }: Named) => `${provider}/${name}`
      return ModelFacts.of({
        learn: (models) =>
          Effect.sync(() => {
            for (const model of models) listed.set(keyOf(model), model)
          }),
        window: (model) => listed.get(keyOf(model))?.contextWindow ?? publishedWindow(model),
        tariff: (model) =>
          priceIn(given, model) ?? listed.get(keyOf(model))?.price ?? rowOf(model.provider, model.name ?? "")?.tariff
      })
    })
  )
}

const publishedWindow = ({ name = "", provider }: Named): number | undefined =>
  rowOf(provider, name)?.window ?? (provider === "openai" ? openAIWindow(name) : undefined)

type Given = Readonly<
  Record<
    string,
    { readonly input: number; readonly output: number; readonly cacheRead?: number; readonly cacheWrite?: number }
  >
>

/** By `provider/name`, `name`, or `provider/*`, in this order. */
const priceIn = (given: Given, { name = "", provider }: Named): Price | undefined => {
  const found = given[`${provider}/${name}`] ?? given[name] ?? given[`${provider}/*`]
  return found === undefined ? undefined : price(found.input, found.output, found.cacheRead, found.cacheWrite)
}
