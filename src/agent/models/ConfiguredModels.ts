import { Effect, Layer, Option } from "effect"
import { Settings } from "../../config/Settings.ts"
import { type LanguageModel, LanguageModels, ModelError, providerTitles } from "./LanguageModel.ts"
import { providers } from "./Providers.ts"

/** The providers that the settings configure. */
export const layer = Layer.effect(
  LanguageModels,
  Effect.gen(function* () {
    const settings = yield* Settings
    const made = new Map<string, LanguageModel>()
    for (const { make, name } of providers) {
      const language = make(settings)
      if (Option.isSome(language)) made.set(name, yield* language.value)
    }
    return LanguageModels.of({
      of: (name) => {
        const language = made.get(name)
        return language === undefined ? Effect.fail(missing(name)) : Effect.succeed(language)
      }
    })
  })
)

const missing = (name: string): ModelError => {
  const provider = providers.find((one) => one.name === name)
  return provider === undefined
    ? new ModelError({ reason: "InvalidRequest", message: `There is no model provider "${name}"` })
    : new ModelError({
        reason: "Unauthorized",
        message: `The models of ${providerTitles[provider.name]} need ${provider.needs}`
      })
}
