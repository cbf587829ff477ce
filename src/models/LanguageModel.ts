import { Context, type Duration, type Effect, type Redacted, Schema } from "effect"
import type { ContentBlock } from "../domain/ContentBlock.ts"
import type { MessageDelta } from "../domain/MessageDelta.ts"
import type { Model, ModelProvider } from "../domain/Model.ts"
import type { TokenCounts } from "../domain/ModelCall.ts"
import type { Effort } from "../domain/Task.ts"
import type { Price } from "./ModelPrices.ts"

/**
 * A turn of a valid conversation: turns alternate, the first is the user's, every tool_use is answered by the next turn.
 * Thinking blocks are the provider's own: those of another one are not among them.
 */
export interface Turn {
  readonly role: "user" | "assistant"
  readonly content: ReadonlyArray<ContentBlock>
}

/** A tool as it is offered to a model; `inputSchema` is JSON Schema. Names and parameters are a contract (docs/contract/agent.md, "Tools"). */
export interface ToolDefinition {
  readonly name: string
  readonly description: string
  readonly inputSchema: Readonly<Record<string, unknown>> & { readonly properties?: Readonly<Record<string, unknown>> }
}

/** A part of a reply, as the model writes it. A call that fails has been heard in vain: what was heard of it is void. */
export type Hear = (kind: MessageDelta["kind"], text: string) => void

export const unheard: Hear = () => {}

export interface ModelRequest {
  /** Absent: the provider's own default. */
  readonly model: string | undefined
  readonly system: string
  readonly turns: ReadonlyArray<Turn>
  /** Empty where a model calls tools though it is told not to; then `turns` hold no calls. */
  readonly tools: ReadonlyArray<ToolDefinition>
  /** `none`: the model is to answer in words; the tools stay in the request, because calls and results refer to them. */
  readonly toolChoice: "auto" | "none"
  /** Is told the reply while it is written. */
  readonly hear?: Hear
  /** How much the model shall think; absent: as the provider has it. */
  readonly effort?: Effort | undefined
}

/** The model's answer in provider-neutral blocks; empty content is the caller's to judge. */
export interface ModelReply {
  readonly content: ReadonlyArray<ContentBlock>
  readonly usage: TokenCounts
}

/**
 * A call that gave no answer. `retryAfter` is in ms, where the provider said it. `shape`: the answer was no answer; it tells equal ones.
 * `refuses`: the same request is taken without what the provider named.
 */
export class ModelError extends Schema.TaggedError<ModelError>()("ModelError", {
  reason: Schema.Literals([
    "RateLimited",
    "Overloaded",
    "Unavailable",
    "ContextTooLong",
    "Unauthorized",
    "QuotaExhausted",
    "Refused",
    "InvalidRequest"
  ]),
  message: Schema.String,
  retryAfter: Schema.optionalKey(Schema.Finite),
  shape: Schema.optionalKey(Schema.String),
  refuses: Schema.optionalKey(
    Schema.Union([
      Schema.TaggedStruct("Reasoning", {}),
      /** More than so many. */
      Schema.TaggedStruct("Images", { beyond: Schema.Finite })
    ])
  )
}) {
  /** Whether the same request may work a while later. */
  get isTransient(): boolean {
    return this.reason === "RateLimited" || this.reason === "Overloaded" || this.reason === "Unavailable"
  }
}

/** `retryAfter` of an error from what a provider says (ms); absent where that is no time. A day at most. */
export const retryAfter = (milliseconds: number | undefined): { readonly retryAfter?: number } =>
  milliseconds !== undefined && milliseconds >= 0 ? { retryAfter: Math.min(milliseconds, 86_400_000) } : {}

/** Pictures that a provider takes: most base64 characters, and most pixels of the longer side; up to `bestSide` it sees all of them. */
export interface PictureLimits {
  readonly bytes: number
  readonly side: number
  readonly bestSide: number
}

/** What a provider takes in one request: `bytes` of its JSON body, and images in it. */
export interface RequestLimits {
  readonly bytes: number
  readonly images: number
  readonly picture: PictureLimits
}

/** A model as its provider's endpoint lists it; window (tokens) and price where it says them. */
export interface ListedModel extends Omit<Model, "contextWindow"> {
  readonly contextWindow: number | undefined
  readonly price?: Price | undefined
}

/** What calls of an endpoint need: headers of the settings, and the longest time without a byte. */
export interface EndpointOptions {
  readonly headers: Redacted.Redacted<Readonly<Record<string, string>>>
  readonly silence: Duration.Duration
}

/** What calls of a vendor's own API need; undefined: the vendor's own URL. */
export interface VendorOptions extends EndpointOptions {
  readonly apiKey: Redacted.Redacted
  readonly baseUrl: string | undefined
}

/** One provider's models; interruption aborts the call. */
export interface LanguageModel {
  /** Loads the provider's SDK, which takes a while, where that has not been done; a call does so, too. */
  readonly load: Effect.Effect<void>
  readonly generate: (request: ModelRequest) => Effect.Effect<ModelReply, ModelError>
  /** Models that the provider's endpoint lists and that can do our work (tools and images), as far as it says so. */
  readonly list: Effect.Effect<ReadonlyArray<ListedModel>, ModelError>
  readonly limits: RequestLimits
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
