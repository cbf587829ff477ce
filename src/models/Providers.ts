import { type Effect, Option, Redacted } from "effect"
import type { SettingsValues } from "../config/Settings.ts"
import { settingsTable } from "../config/SettingsTable.ts"
import type { Model, ModelProvider } from "../domain/Model.ts"
import * as Anthropic from "./Anthropic.ts"
import * as Google from "./Google.ts"
import type { EndpointOptions, LanguageModel, VendorOptions } from "./LanguageModel.ts"
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

const endpointOptions = (settings: SettingsValues, name: ModelProvider): EndpointOptions => ({
  headers: headersFor(settings, name),
  silence: settings.modelSilence
})

/** A vendor's own API, which wants a key. */
const vendor = (
  name: ModelProvider,
  key: "anthropicApiKey" | "openaiApiKey" | "geminiApiKey",
  baseUrl: "anthropicBaseUrl" | "openaiBaseUrl" | "geminiBaseUrl",
  make: (options: VendorOptions) => Effect.Effect<LanguageModel>
): Provider => ({
  name,
  needs: settingsTable[key].name,
  key: settingsTable[key].name,
  models: offered(name),
  make: (settings) =>
    Option.map(settings[key], (apiKey) =>
      make({ apiKey, baseUrl: Option.getOrUndefined(settings[baseUrl]), ...endpointOptions(settings, name) })
    )
})

/** The providers that this version can run. */
export const providers: ReadonlyArray<Provider> = [
  vendor("anthropic", "anthropicApiKey", "anthropicBaseUrl", Anthropic.make),
  vendor("openai", "openaiApiKey", "openaiBaseUrl", OpenAI.make),
  vendor("google", "geminiApiKey", "geminiBaseUrl", Google.make),
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
          ...endpointOptions(settings, "proxy")
        })
      )
  }
]
