import { Schema } from "effect"

/** Providers that this service can talk to; `proxy` is any OpenAI-compatible endpoint. */
export const ModelProvider = Schema.Literals(["anthropic", "openai", "google", "proxy"])
export type ModelProvider = typeof ModelProvider.Type

/** A model on offer; `contextWindow` is in tokens. */
export const Model = Schema.Struct({
  provider: ModelProvider,
  name: Schema.String,
  title: Schema.String,
  contextWindow: Schema.Finite
})
export interface Model extends Schema.Schema.Type<typeof Model> {}
