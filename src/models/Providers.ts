import { type Effect, Option } from "effect"
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

/** The providers that this version can run. */
export const providers: ReadonlyArray<Provider> = [
  {
    name: "anthropic",
    needs: settingsTable.anthropicApiKey.name,
    key: settingsTable.anthropicApiKey.name,
    models: offered("anthropic"),
    make: ({ anthropicApiKey, anthropicBaseUrl }) =>
      Option.map(anthropicApiKey, (apiKey) =>
        Anthropic.make({ apiKey, baseUrl: Option.getOrUndefined(anthropicBaseUrl) })
      )
  },
  {
    name: "openai",
    needs: settingsTable.openaiApiKey.name,
    key: settingsTable.openaiApiKey.name,
    models: offered("openai"),
    make: ({ openaiApiKey, openaiBaseUrl }) =>
      Option.map(openaiApiKey, (apiKey) => OpenAI.make({ apiKey, baseUrl: Option.getOrUndefined(openaiBaseUrl) }))
  },
  {
    name: "google",
    needs: settingsTable.geminiApiKey.name,
    key: settingsTable.geminiApiKey.name,
    models: offered("google"),
    make: ({ geminiApiKey, geminiBaseUrl }) =>
      Option.map(geminiApiKey, (apiKey) => Google.make({ apiKey, baseUrl: Option.getOrUndefined(geminiBaseUrl) }))
  },
  {
    name: "proxy",
    needs: settingsTable.llmProxyUrl.name,
    key: settingsTable.llmProxyApiKey.name,
    models: [],
    make: ({ llmProxyApiKey, llmProxyUrl }) =>
      Option.map(llmProxyUrl, (url) => Proxy.make({ url, apiKey: Option.getOrUndefined(llmProxyApiKey) }))
  }
]
