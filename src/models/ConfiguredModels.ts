import { Effect, Layer, Option, Redacted } from "effect"
import { Settings, type SettingsValues } from "../config/Settings.ts"
import { shortened } from "../domain/Bounds.ts"
import { boundedModels, boundedReply } from "./Answers.ts"
import { withEffort } from "./Effort.ts"
import { type LanguageModel, LanguageModels, ModelError, providerTitles } from "./LanguageModel.ts"
import { ModelFacts } from "./ModelFacts.ts"
import { providers } from "./Providers.ts"

const languages = Layer.effect(
  LanguageModels,
  Effect.gen(function* () {
    const settings = yield* Settings
    const made = new Map<string, LanguageModel>()
    const keys = keysIn(settings)
    for (const { make, name } of providers) {
      const language = make(settings)
      if (Option.isSome(language)) made.set(name, guarded(keys, yield* language.value))
    }
    return LanguageModels.of({
      of: (name) => {
        const language = made.get(name)
        return language === undefined ? Effect.fail(missing(name)) : Effect.succeed(language)
      }
    })
  })
)

/** The providers that the settings configure, and what is known of their models. */
export const layer = Layer.merge(languages, ModelFacts.layer)

const missing = (name: string): ModelError => {
  const provider = providers.find((one) => one.name === name)
  return provider === undefined
    ? new ModelError({ reason: "InvalidRequest", message: `There is no model provider "${name}"` })
    : new ModelError({
        reason: "Unauthorized",
        message: `The models of ${providerTitles[provider.name]} need ${provider.needs}`
      })
}

/** Shorter ones are no keys, and may be parts of words. */
const shortestKey = 8

const keysIn = ({ anthropicApiKey, geminiApiKey, llmProxyApiKey, modelHeaders, openaiApiKey }: SettingsValues) =>
  [anthropicApiKey, openaiApiKey, geminiApiKey, llmProxyApiKey]
    .flatMap((key) => (Option.isSome(key) ? [Redacted.value(key.value)] : []))
    .concat(Option.isSome(modelHeaders) ? Object.values(Redacted.value(modelHeaders.value)).flatMap(Object.values) : [])
    .filter((key) => key.length >= shortestKey)

/** Characters of a failure's words. */
const longestMessage = 1_000

/**
 * All that comes of a provider, within bounds. The words of a failure become a task's `error`, which clients see; providers and proxies
 * repeat the key in them.
 */
const guarded = (keys: ReadonlyArray<string>, language: LanguageModel): LanguageModel => {
  const presentable = ({ message, reason, refuses, retryAfter, shape }: ModelError) =>
    new ModelError({
      reason,
      message: shortened(
        keys.reduce((words, key) => words.replaceAll(key, "…"), message),
        longestMessage
      ),
      ...(retryAfter === undefined ? {} : { retryAfter }),
      ...(shape === undefined ? {} : { shape }),
      ...(refuses === undefined ? {} : { refuses })
    })
  const generate = withEffort(language.generate)
  return {
    load: language.load,
    generate: (request) => Effect.mapBoth(generate(request), { onFailure: presentable, onSuccess: boundedReply }),
    list: Effect.mapBoth(language.list, { onFailure: presentable, onSuccess: boundedModels }),
    limits: language.limits
  }
}
