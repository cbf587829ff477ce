import { type Effect, Option, Redacted } from "effect"
import type { SettingsValues } from "../config/Settings.ts"
import { settingsTable } from "../config/SettingsTable.ts"
import type { Model, ModelProvider } from "../domain/Model.ts"
import * as Anthropic from "./Anthropic.ts"
import * as Google from "./Google.ts"
import type { LanguageModel } from "./LanguageModel.ts"
import { offered } from "./ModelTable.ts"
import * as OpenAI from "./OpenAI.ts"
import * as Proxy from "./Proxy.ts"

interface Provider {
  readonly name: ModelProvider
  /** The setting without which it is not configured. */
  readonly needs: string
  /** The setting of its key. */
  readonly key: string
  /** Models on offer when BYTEBOT_MODELS is not set. */
  readonly models: ReadonlyArray<Model>
  /** None where the settings do not configure it. */
  readonly make: (settings: SettingsValues) => Option.Option<Effect.Effect<LanguageModel>>
}

/** The headers that the settings add to the provider's requests. */
export const headersFor = (
  { modelHeaders }: SettingsValues,
  provider: ModelProvider
): Redacted.Redacted<Readonly<Record<string, string>>> =>
  Option.match(modelHeaders, {
    onNone: () => Redacted.make({}),
    onSome: (given) => Redacted.make(Redacted.value(given)[provider] ?? {})
  })

/** The providers that this version can run. */
export const providers: ReadonlyArray<Provider> = [
  {
    name: "anthropic",
    needs: settingsTable.anthropicApiKey.name,
    key: settingsTable.anthropicApiKey.name,
    models: offered("anthropic"),
    make: (settings) =>
      Option.map(settings.anthropicApiKey, (apiKey) =>
        Anthropic.make({
          apiKey,
          baseUrl: Option.getOrUndefined(settings.anthropicBaseUrl),
          headers: headersFor(settings, "anthropic"),
          silence: settings.modelSilence
        })
      )
  },
  {
    name: "openai",
    needs: settingsTable.openaiApiKey.name,
    key: settingsTable.openaiApiKey.name,
    models: offered("openai"),
    make: (settings) =>
      Option.map(settings.openaiApiKey, (apiKey) =>
        OpenAI.make({
          apiKey,
          baseUrl: Option.getOrUndefined(settings.openaiBaseUrl),
          headers: headersFor(settings, "openai"),
          silence: settings.modelSilence
        })
      )
  },
  {
    name: "google",
    needs: settingsTable.geminiApiKey.name,
    key: settingsTable.geminiApiKey.name,
    models: offered("google"),
    make: (settings) =>
      Option.map(settings.geminiApiKey, (apiKey) =>
        Google.make({
          apiKey,
          baseUrl: Option.getOrUndefined(settings.geminiBaseUrl),
          headers: headersFor(settings, "google"),
          silence: settings.modelSilence
        })
      )
  },
  {
    name: "proxy",
    needs: settingsTable.llmProxyUrl.name,
    key: settingsTable.llmProxyApiKey.name,
    models: [],
    make: (settings) =>
      Option.map(settings.llmProxyUrl, (url) =>
        Proxy.make({
          url,
          apiKey: Option.getOrUndefined(settings.llmProxyApiKey),
          headers: headersFor(settings, "proxy"),
          silence: settings.modelSilence
        })
      )
  }
]
