import type AnthropicClient from "@anthropic-ai/sdk"
import { Duration, Effect, Option, Redacted, Schema } from "effect"
import type { ContentBlock, DocumentBlock, ToolResultContent } from "../domain/ContentBlock.ts"
import type { Model } from "../domain/Model.ts"
import { decodeAnswer, textIn, tokensAt, unexpectedShape } from "./Answers.ts"
import { boundedFetch } from "./BoundedFetch.ts"
import {
  type LanguageModel,
  ModelError,
  type ModelReply,
  type ModelRequest,
  retryAfter,
  type ToolDefinition,
  type Turn
} from "./LanguageModel.ts"

/** The models on offer. Names: the type definitions of the vendor's SDK (those not marked deprecated). */
export const models: ReadonlyArray<Model> = [
  { provider: "anthropic", name: "claude-opus-5-5", title: "Claude Opus 5.5", contextWindow: 200_000 },
  { provider: "anthropic", name: "claude-sonnet-5-5", title: "Claude Sonnet 5.5", contextWindow: 200_000 },
  { provider: "anthropic", name: "claude-haiku-5-5", title: "Claude Haiku 5.5", contextWindow: 200_000 }
]

/** For stored tasks that name no model (golden/agent-model-without-name.json). */
const defaultModel = "claude-opus-5-5"

/** As the original asked for; within what every model on offer can answer without streaming. */
const maxTokens = 16_384

/** A reply of that size takes minutes; beyond this the connection is dead. */
const patience = Duration.minutes(10)

/** Platform documentation, "Messages: request size limits" and "Vision"; a part of the bytes is left for what is not ours. */
const limits = { bytes: 31 * 1024 * 1024, images: 100 }

const cached = { cache_control: { type: "ephemeral" as const } }

/** Anthropic's Messages API through the official SDK, which is loaded when first used. */
export const make = (options: { readonly apiKey: Redacted.Redacted; readonly baseUrl: string | undefined }) =>
  Effect.gen(function* () {
    const sdk = yield* Effect.cached(Effect.promise(() => import("@anthropic-ai/sdk")))
    const client = yield* Effect.cached(
      Effect.map(
        sdk,
        ({ default: Anthropic }) =>
          new Anthropic({
            apiKey: Redacted.value(options.apiKey),
            baseURL: options.baseUrl ?? null,
            maxRetries: 0,
            timeout: Duration.toMillis(patience),
            fetch: boundedFetch
          })
      )
    )
    const failed = Effect.map(
      sdk,
      ({ default: Anthropic }) =>
        (cause: unknown): ModelError =>
          cause instanceof Anthropic.APIError
            ? toModelError(cause.status, wordsOf(cause), cause.headers)
            : new ModelError({ reason: "Unavailable", message: "Anthropic's answer could not be read" })
    )
    const generate = Effect.fnUntraced(function* (request: ModelRequest) {
      yield* Effect.annotateCurrentSpan({
        "gen_ai.provider.name": "anthropic",
        "gen_ai.request.model": request.model ?? defaultModel
      })
      const anthropic = yield* client
      const toError = yield* failed
      const message = yield* Effect.tryPromise({
        try: (signal) => anthropic.messages.create(toParams(request), { signal }),
        catch: toError
      })
      return yield* toReply(message)
    })
    const list = Effect.gen(function* () {
      const anthropic = yield* client
      const toError = yield* failed
      const page = yield* Effect.tryPromise({
        try: (signal) => anthropic.models.list({ limit: 100 }, { signal }),
        catch: toError
      })
      return yield* toModels(page)
    }).pipe(Effect.withSpan("Anthropic.list"))
    return { load: Effect.asVoid(client), generate, list, limits } satisfies LanguageModel
  })

const toParams = (request: ModelRequest): AnthropicClient.MessageCreateParamsNonStreaming => ({
  model: request.model ?? defaultModel,
  max_tokens: maxTokens,
  system: [{ type: "text", text: request.system, ...cached }],
  messages: request.turns.map((turn, index) => toMessage(turn, index === request.turns.length - 1)),
  tools: request.tools.map((tool, index) => toTool(tool, index === request.tools.length - 1)),
  ...(request.toolChoice === "none" ? { tool_choice: { type: "none" } } : {})
})

const toTool = (tool: ToolDefinition, isLast: boolean): AnthropicClient.Tool => ({
  name: tool.name,
  description: tool.description,
  input_schema: { ...tool.inputSchema, type: "object" },
  ...(isLast ? cached : {})
})

const toMessage = (turn: Turn, isLast: boolean): AnthropicClient.MessageParam => ({
  role: turn.role,
  content: turn.content.flatMap((block, index) => {
    const param = toBlock(block)
    return isLast && index === turn.content.length - 1 && isCacheable(param) ? [{ ...param, ...cached }] : [param]
  })
})

const isCacheable = (param: AnthropicClient.ContentBlockParam) =>
  param.type === "text" || param.type === "image" || param.type === "document" || param.type === "tool_result"

const toBlock = (block: ContentBlock): AnthropicClient.ContentBlockParam => {
  switch (block.type) {
    case "tool_result":
      return {
        type: "tool_result",
        tool_use_id: block.tool_use_id,
        content: block.content.map(toContent),
        ...(block.is_error === true ? { is_error: true } : {})
      }
    case "tool_use":
      return { type: "tool_use", id: block.id, name: block.name, input: block.input ?? {} }
    case "thinking":
      return { type: "thinking", thinking: block.thinking, signature: block.signature }
    case "redacted_thinking":
      return { type: "redacted_thinking", data: block.data }
    case "user_action":
      return { type: "text", text: JSON.stringify(block.content) }
    default:
      return toContent(block)
  }
}

const toContent = (
  block: ToolResultContent
): AnthropicClient.TextBlockParam | AnthropicClient.ImageBlockParam | AnthropicClient.DocumentBlockParam => {
  if (block.type === "text") return { type: "text", text: block.text === "" ? "(empty)" : block.text }
  if (block.type === "document") return toDocument(block)
  const { data, media_type } = block.source
  return isImageType(media_type)
    ? { type: "image", source: { type: "base64", media_type, data } }
    : { type: "text", text: `(An image of type ${media_type}, which can't be shown.)` }
}

const isImageType = Schema.is(Schema.Literals(["image/png", "image/jpeg", "image/gif", "image/webp"]))

/** Anthropic takes PDF as base64 and everything else as text, and no keys beyond its own. */
const toDocument = ({ name, source }: DocumentBlock): AnthropicClient.DocumentBlockParam => ({
  type: "document",
  ...(name === undefined ? {} : { title: name }),
  source:
    source.media_type === "application/pdf"
      ? { type: "base64", media_type: "application/pdf", data: source.data }
      : {
          type: "text",
          media_type: "text/plain",
          data: Buffer.from(source.data, "base64").toString("utf8") || "(empty)"
        }
})

/** Of GET /v1/models; older models say nothing of their window, which is 200000 then. */
const decodeModels = decodeAnswer(
  Schema.Struct({
    data: Schema.Array(
      Schema.Struct({
        id: Schema.String,
        display_name: Schema.String,
        max_input_tokens: Schema.optionalKey(Schema.NullOr(Schema.Finite))
      })
    )
  })
)

const toModels = (page: unknown): Effect.Effect<ReadonlyArray<Model>, ModelError> =>
  decodeModels(page).pipe(
    Effect.map(({ data }) =>
      data.map(
        ({ display_name, id, max_input_tokens }): Model => ({
          provider: "anthropic",
          name: id,
          title: display_name,
          contextWindow: max_input_tokens ?? 200_000
        })
      )
    ),
    Effect.mapError(() => unexpectedShape("Anthropic's", page))
  )

const decodeReply = decodeAnswer(
  Schema.Struct({
    content: Schema.Array(Schema.Json),
    stop_reason: Schema.optionalKey(Schema.Json),
    usage: Schema.optionalKey(Schema.Json)
  })
)

/** Keeps what is stored of an answer. */
export const toReply = (answer: unknown): Effect.Effect<ModelReply, ModelError> =>
  decodeReply(answer).pipe(
    Effect.mapError(() => unexpectedShape("Anthropic's", answer)),
    Effect.filterOrFail(
      ({ stop_reason }) => stop_reason !== "refusal",
      () => new ModelError({ reason: "Refused", message: "Anthropic: the model refused to go on with this task" })
    ),
    Effect.map(({ content, usage }): ModelReply => {
      const cacheRead = tokensAt(usage, "cache_read_input_tokens")
      const cacheWrite = tokensAt(usage, "cache_creation_input_tokens")
      return {
        content: content.flatMap(toStored),
        usage: {
          input: tokensAt(usage, "input_tokens") + cacheRead + cacheWrite,
          output: tokensAt(usage, "output_tokens"),
          cacheRead,
          cacheWrite
        }
      }
    })
  )

const decodeBlock = Schema.decodeUnknownOption(
  Schema.Union([
    Schema.Struct({ type: Schema.Literal("text"), text: Schema.String }),
    Schema.Struct({
      type: Schema.Literal("tool_use"),
      id: Schema.optionalKey(Schema.Json),
      name: Schema.optionalKey(Schema.Json),
      input: Schema.optionalKey(Schema.Json)
    }),
    Schema.Struct({ type: Schema.Literal("thinking"), thinking: Schema.String, signature: Schema.String }),
    Schema.Struct({ type: Schema.Literal("redacted_thinking"), data: Schema.String })
  ])
)

/** Keeps what is stored of a block, and nothing that only this provider knows. */
const toStored = (given: Schema.Json): ReadonlyArray<ContentBlock> => {
  const block = Option.getOrUndefined(decodeBlock(given))
  if (block?.type !== "tool_use") return block === undefined ? [] : [block]
  return [{ id: textIn(block.id), name: textIn(block.name), type: "tool_use", input: block.input ?? {} }]
}

const decodeProblem = Schema.decodeUnknownOption(
  Schema.Struct({ error: Schema.Struct({ error: Schema.Struct({ message: Schema.String }) }) })
)

/** The message of the API's error body, else the SDK's own words. */
const wordsOf = (error: Error): string => {
  const problem = decodeProblem(error)
  return problem._tag === "Some" ? problem.value.error.error.message : error.message
}

/** Anthropic's error statuses: platform documentation, "Errors". */
const toModelError = (status: number | undefined, message: string, headers: Headers | undefined): ModelError => {
  const pause = retryAfter(Number(headers?.get("retry-after") ?? Number.NaN) * 1000)
  const error = (reason: ModelError["reason"]) => new ModelError({ reason, message: `Anthropic: ${message}`, ...pause })
  if (status === undefined) return error("Unavailable")
  if (status === 429) return error("RateLimited")
  if (status === 529) return error("Overloaded")
  if (status === 402 || /credit balance is too low/i.test(message)) return error("QuotaExhausted")
  if (status === 401 || status === 403) return error("Unauthorized")
  if (status === 400 && /prompt is too long|exceed context limit/i.test(message)) return error("ContextTooLong")
  return error(status === 408 || status >= 500 ? "Unavailable" : "InvalidRequest")
}
