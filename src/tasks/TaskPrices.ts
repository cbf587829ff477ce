import { Effect, Option } from "effect"
import { Settings } from "../config/Settings.ts"
import { InvalidRequest } from "../domain/TaskErrors.ts"
import { ModelCatalog } from "../models/ModelCatalog.ts"
import { ModelFacts } from "../models/ModelFacts.ts"

interface Named {
  readonly provider: string
  readonly name: string
}

/** Refuses tasks whose model, or a fallback of it, has no known price while there is a cost budget: it would never be spent. */
export const makeCheckPrices = Effect.gen(function* () {
  const { modelFallbacks, taskCostBudget } = yield* Settings
  const catalog = yield* ModelCatalog
  const facts = yield* ModelFacts
  const fallbacks = Option.getOrElse(modelFallbacks, (): ReadonlyArray<Named> => [])
  return Effect.fnUntraced(function* (model: Named) {
    if (Option.isNone(taskCostBudget)) return
    const findUnpriced = () => [model, ...fallbacks].find((one) => facts.tariff(one) === undefined)
    if (findUnpriced() !== undefined) yield* catalog.learnPrices
    const unpriced = findUnpriced()
    if (unpriced !== undefined) yield* new InvalidRequest({ message: words(unpriced) })
  })
})

const words = ({ name, provider }: Named): string =>
  `model: the prices of ${provider}/${name} are not known, so that BYTEBOT_TASK_COST_BUDGET could not be held. ` +
  `Set BYTEBOT_MODEL_PRICES to ${JSON.stringify({ [`${provider}/${name}`]: { input: 1, output: 5 } })} with its prices ` +
  "in US dollars for a million tokens, or unset BYTEBOT_TASK_COST_BUDGET"
