import { Effect, Layer, Option } from "effect"
import { Settings } from "../../config/Settings.ts"
import * as Anthropic from "./Anthropic.ts"
import { LanguageModels, ModelError } from "./LanguageModel.ts"

/** The providers that the settings give a key for. */
export const layer = Layer.effect(
  LanguageModels,
  Effect.gen(function* () {
    const settings = yield* Settings
    const anthropic = Option.isNone(settings.anthropicApiKey)
      ? undefined
      : yield* Anthropic.make({
          apiKey: settings.anthropicApiKey.value,
          baseUrl: Option.getOrUndefined(settings.anthropicBaseUrl)
        })
    return LanguageModels.of({
      of: (provider) => {
        if (provider !== "anthropic") {
          return Effect.fail(
            new ModelError({ reason: "InvalidRequest", message: `There is no model provider "${provider}"` })
          )
        }
        return anthropic === undefined
          ? Effect.fail(
              new ModelError({ reason: "Unauthorized", message: "Anthropic's models need ANTHROPIC_API_KEY" })
            )
          : Effect.succeed(anthropic)
      }
    })
  })
)
