import { Clock, Context, DateTime, Duration, Effect, Layer, Random, Schema } from "effect"
import { Settings } from "../config/Settings.ts"
import { text } from "../domain/ContentBlock.ts"
import type { Conversation } from "../messages/Conversations.ts"
import { LanguageModels, ModelError, type ModelReply, StoredModel } from "./models/LanguageModel.ts"
import { summaryRequest, systemPrompt } from "./Prompt.ts"
import { toolDefinitions } from "./Tools.ts"
import { toTurns } from "./Turns.ts"

/** Of the context window; a reply that used more has the conversation summarised (agent.md, "Summaries"). */
const summaryShare = 0.75
const defaultContextWindow = 200_000

const firstPause = Duration.toMillis("1 second")
const longestPause = Duration.toMillis("60 seconds")

export interface Reply extends ModelReply {
  /** The conversation fills so much of the context window that it wants a summary. */
  readonly isCrowded: boolean
}

/** Calls of the model that a task names, patient with providers that are busy or away. */
export class ModelCalls extends Context.Service<
  ModelCalls,
  {
    /** The next reply. Transient failures are retried for BYTEBOT_MODEL_RETRY_FOR, honouring the provider's Retry-After. */
    readonly reply: (model: Schema.Json, conversation: Conversation) => Effect.Effect<Reply, ModelError>
    readonly summary: (model: Schema.Json, conversation: Conversation) => Effect.Effect<string, ModelError>
  }
>()("bytebot/ModelCalls") {
  static readonly layer = Layer.effect(
    ModelCalls,
    Effect.gen(function* () {
      const { modelRetryFor } = yield* Settings
      const models = yield* LanguageModels
      const timeZone = new Intl.DateTimeFormat().resolvedOptions().timeZone

      const patiently = Effect.fnUntraced(function* <A, R>(call: Effect.Effect<A, ModelError, R>) {
        const deadline = (yield* Clock.currentTimeMillis) + Duration.toMillis(modelRetryFor)
        for (let attempt = 1; ; attempt++) {
          const result = yield* Effect.result(call)
          if (result._tag === "Success") return result.success
          const error = result.failure
          const now = yield* Clock.currentTimeMillis
          const backoff = Math.min(longestPause, firstPause * 2 ** (attempt - 1)) * (0.8 + 0.4 * (yield* Random.next))
          const pause = Math.max(error.retryAfter ?? 0, backoff)
          if (!error.isTransient || now + pause > deadline) return yield* error
          yield* Effect.logWarning("The model did not answer, trying again").pipe(
            Effect.annotateLogs({ attempt, reason: error.reason, message: error.message, pauseMs: Math.round(pause) })
          )
          yield* Effect.sleep(Duration.millis(pause))
        }
      })

      const resolve = (model: Schema.Json) =>
        Effect.gen(function* () {
          const stored = yield* decodeStored(model)
          return { stored, language: yield* models.of(stored.provider) }
        })

      const reply = Effect.fn("ModelCalls.reply")(function* (model: Schema.Json, conversation: Conversation) {
        const { language, stored } = yield* resolve(model)
        const now = yield* DateTime.now
        const answer = yield* patiently(
          language.generate({
            model: stored.name,
            system: systemPrompt(now, timeZone),
            turns: toTurns(conversation),
            tools: toolDefinitions
          })
        )
        const used = answer.usage.input + answer.usage.output
        return { ...answer, isCrowded: used >= summaryShare * (stored.contextWindow ?? defaultContextWindow) }
      })

      const summary = Effect.fn("ModelCalls.summary")(function* (model: Schema.Json, conversation: Conversation) {
        const { language, stored } = yield* resolve(model)
        const now = yield* DateTime.now
        const turns = toTurns(conversation)
        const last = turns.at(-1)
        const asked =
          last?.role === "user"
            ? [...turns.slice(0, -1), { ...last, content: [...last.content, text(summaryRequest)] }]
            : [...turns, { role: "user" as const, content: [text(summaryRequest)] }]
        const answer = yield* language.generate({
          model: stored.name,
          system: systemPrompt(now, timeZone),
          turns: asked,
          tools: toolDefinitions
        })
        const words = answer.content
          .flatMap((block) => (block.type === "text" ? [block.text] : []))
          .join("\n")
          .trim()
        return words === ""
          ? yield* new ModelError({ reason: "InvalidRequest", message: "The summary is empty" })
          : words
      })

      return ModelCalls.of({ reply, summary })
    })
  )
}

const decodeStored = (model: Schema.Json) =>
  Schema.decodeUnknownEffect(StoredModel)(model).pipe(
    Effect.mapError(
      () => new ModelError({ reason: "InvalidRequest", message: "The task names no model that can be used" })
    )
  )
