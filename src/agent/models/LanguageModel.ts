import { Context, type Effect, Schema } from "effect"
import type { ContentBlock } from "../../domain/ContentBlock.ts"
import type { ModelProvider } from "../../domain/Model.ts"
import type { ToolDefinition } from "../Tools.ts"

/** A turn of a valid conversation: turns alternate, the first is the user's, every tool_use is answered by the next turn. */
export interface Turn {
  readonly role: "user" | "assistant"
  readonly content: ReadonlyArray<ContentBlock>
}

export interface ModelRequest {
  /** Absent: the provider's own default. */
  readonly model: string | undefined
  readonly system: string
  readonly turns: ReadonlyArray<Turn>
  readonly tools: ReadonlyArray<ToolDefinition>
}

/** Tokens of one call; `input` counts those read from and written to the provider's cache too. */
export interface Usage {
  readonly input: number
  readonly output: number
  readonly cacheRead: number
  readonly cacheWrite: number
}

/** The model's answer in provider-neutral blocks; empty content is the caller's to judge. */
export interface ModelReply {
  readonly content: ReadonlyArray<ContentBlock>
  readonly usage: Usage
}

/** A call that gave no answer. `retryAfter` is in ms, where the provider said it. */
export class ModelError extends Schema.TaggedError<ModelError>()("ModelError", {
  reason: Schema.Literals([
    "RateLimited",
    "Overloaded",
    "Unavailable",
    "ContextTooLong",
    "Unauthorized",
    "InvalidRequest"
  ]),
  message: Schema.String,
  retryAfter: Schema.optionalKey(Schema.Finite)
}) {
  /** Whether the same request may work a while later. */
  get isTransient(): boolean {
    return this.reason === "RateLimited" || this.reason === "Overloaded" || this.reason === "Unavailable"
  }
}

/** One provider's models; interruption aborts the call. */
export interface LanguageModel {
  readonly generate: (request: ModelRequest) => Effect.Effect<ModelReply, ModelError>
}

/** The configured providers. */
export class LanguageModels extends Context.Service<
  LanguageModels,
  {
    /** Fails with Unauthorized where the provider has no key, with InvalidRequest where it is unknown. */
    readonly of: (provider: string) => Effect.Effect<LanguageModel, ModelError>
  }
>()("bytebot/LanguageModels") {}

/** What a stored task says of its model; older rows hold less (golden/agent-model-*.json). */
export const StoredModel = Schema.Struct({
  provider: Schema.String,
  name: Schema.optionalKey(Schema.String),
  contextWindow: Schema.optionalKey(Schema.Finite)
})
export type StoredModel = typeof StoredModel.Type

/** Names of the providers in messages for people. */
export const providerTitles: Readonly<Record<ModelProvider, string>> = {
  anthropic: "Anthropic",
  openai: "OpenAI",
  google: "Google",
  proxy: "the LLM proxy"
}
