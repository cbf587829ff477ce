import { Context, Effect, Layer, Option, Schema } from "effect"
import { Settings } from "../config/Settings.ts"
import type { AnsweredCall, Conversation } from "../domain/Conversation.ts"
import type { Draft } from "../events/Draft.ts"
import { LanguageModels, ModelError, type ModelReply, StoredModel } from "../models/LanguageModel.ts"
import { claimedWindow, ModelCatalog } from "../models/ModelCatalog.ts"
import { ModelFacts } from "../models/ModelFacts.ts"
import { type AskingTask, makeGenerate } from "./ModelCall.ts"
import { makePatiently, type Waiting } from "./PatientCalls.ts"
import { summarise } from "./Summaries.ts"

/** Of the context window; a reply that used more has the conversation summarised (docs/contract/agent.md, "Summaries"). */
const summaryShare = 0.75
const defaultContextWindow = 200_000

export interface Reply {
  readonly content: ModelReply["content"]
  readonly call: AnsweredCall
  /**
   * The conversation fills so much of the context window of the task's own model that it wants a summary. A fallback's reply never says so:
   * nothing is hidden for the sake of a model that was not asked for.
   */
  readonly isCrowded: boolean
}

/** Calls of the model that a task names, patient with providers that are busy or away. */
export class ModelCalls extends Context.Service<
  ModelCalls,
  {
    /** Loads what a call of the model needs, so that a call to come leaves at once. What is wrong with the model, the call says. */
    readonly load: (model: Schema.Json) => Effect.Effect<void>
    /**
     * The next reply. Transient failures are retried for BYTEBOT_MODEL_RETRY_FOR, honouring the provider's Retry-After; a model that
     * stays unavailable, or refuses, gives way to BYTEBOT_MODEL_FALLBACKS. A fallback for which the conversation is too long is passed over: the failure
     * ContextTooLong is always that of the task's own model.
     */
    readonly reply: <E, R>(
      task: AskingTask,
      conversation: Conversation,
      draft: Pick<Draft, "hear" | "discard">,
      waiting: Waiting<E, R>
    ) => Effect.Effect<Reply, ModelError | E, R>
    /**
     * A summary of the conversation, in words. Where there is no going on without it, `waiting` is told, and it is as patient as a reply; else
     * a failure is final.
     */
    readonly summary: <E, R>(
      task: AskingTask,
      conversation: Conversation,
      waiting: Option.Option<Waiting<E, R>>
    ) => Effect.Effect<{ readonly content: string; readonly call: AnsweredCall }, ModelError | E, R>
  }
>()("bytebot/ModelCalls") {
  static readonly layer = Layer.effect(
    ModelCalls,
    Effect.gen(function* () {
      const models = yield* LanguageModels
      const catalog = yield* ModelCatalog
      const facts = yield* ModelFacts
      const crowdedAt = yield* makeCrowdedAt
      const generate = yield* makeGenerate
      const patiently = yield* makePatiently

      const reply = Effect.fn("ModelCalls.reply")(function* <E, R>(
        task: AskingTask,
        conversation: Conversation,
        draft: Pick<Draft, "hear" | "discard">,
        waiting: Waiting<E, R>
      ) {
        const stored = yield* decodeStored(task.model)
        const { answer, isOwn } = yield* patiently(stored, waiting, (candidate) =>
          generate(task, candidate, conversation, ({ turns }) => ({
            turns,
            toolChoice: "auto",
            hear: draft.hear
          })).pipe(Effect.tapError(() => Effect.sync(() => draft.discard())))
        )
        const used = answer.call.tokens.input + answer.call.tokens.output
        return { ...answer, isCrowded: isOwn && used >= crowdedAt(stored) } satisfies Reply
      })

      const summary = Effect.fn("ModelCalls.summary")(function* <E, R>(
        task: AskingTask,
        conversation: Conversation,
        waiting: Option.Option<Waiting<E, R>>
      ) {
        const stored = yield* decodeStored(task.model)
        if (Option.isNone(waiting)) return yield* summarise(generate, task, stored, conversation, false)
        const { answer } = yield* patiently(stored, waiting.value, (candidate) =>
          summarise(generate, task, candidate, conversation, true)
        )
        return answer
      })

      const load = (model: Schema.Json) =>
        decodeStored(model).pipe(
          Effect.tap((stored) =>
            facts.window(stored) === undefined || facts.tariff(stored) === undefined ? catalog.renew : Effect.void
          ),
          Effect.flatMap(({ provider }) => models.of(provider)),
          Effect.flatMap((language) => language.load),
          Effect.ignore
        )

      return ModelCalls.of({ load, reply, summary })
    })
  )
}

/** Tokens of a conversation above which it is summarised. */
const makeCrowdedAt = Effect.gen(function* () {
  const { contextLimit } = yield* Settings
  const facts = yield* ModelFacts
  return (model: StoredModel): number => {
    const cheap = facts.tariff(model)?.long?.above ?? Number.POSITIVE_INFINITY
    const most = Option.getOrElse(contextLimit, () => cheap)
    return Math.min(most, summaryShare * windowOf(model, facts.window(model)))
  }
})

/** What the task says of the window, unless less or more is known. Older rows may hold a window that is none. */
const windowOf = ({ contextWindow = 0, provider }: StoredModel, known: number | undefined): number => {
  const isSaid = contextWindow > 0 && !(provider === "proxy" && contextWindow === claimedWindow && known !== undefined)
  return Math.min(
    isSaid ? contextWindow : Number.POSITIVE_INFINITY,
    known ?? (isSaid ? contextWindow : defaultContextWindow)
  )
}

const decodeStored = (model: Schema.Json) =>
  Schema.decodeUnknownEffect(StoredModel)(model).pipe(
    Effect.mapError(
      () => new ModelError({ reason: "InvalidRequest", message: "The task names no model that can be used" })
    )
  )
