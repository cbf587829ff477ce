import { hash } from "node:crypto"
import { Clock, Context, DateTime, Duration, Effect, Layer, Option, Random, Schema } from "effect"
import { Settings } from "../config/Settings.ts"
import { text } from "../domain/ContentBlock.ts"
import type { AnsweredCall, Conversation } from "../domain/Conversation.ts"
import { ModelProvider } from "../domain/Model.ts"
import type { Effort, Task } from "../domain/Task.ts"
import { LanguageModels, ModelError, type ModelReply, type ModelRequest, StoredModel } from "../models/LanguageModel.ts"
import { claimedWindow, ModelCatalog } from "../models/ModelCatalog.ts"
import { ModelFacts } from "../models/ModelFacts.ts"
import { costOf } from "../models/ModelPrices.ts"
import { measure, metrics, timed } from "../observability/Metrics.ts"
import { readable } from "./FileContent.ts"
import { type Candidate, ModelRoute, WrongShapes } from "./ModelRoute.ts"
import { summaryRequest, systemPrompt } from "./Prompt.ts"
import { makeFit } from "./Scaling.ts"
import { withinLimits } from "./Screenshots.ts"
import { toolDefinitions } from "./Tools.ts"
import { type Reader, type Rendered, toTurns } from "./Turns.ts"

/** Of the context window; a reply that used more has the conversation summarised (docs/contract/agent.md, "Summaries"). */
const summaryShare = 0.75
const defaultContextWindow = 200_000

const firstPause = Duration.toMillis("1 second")
const longestPause = Duration.toMillis("60 seconds")

/** Short failures are nothing that a person needs to see. */
const worthTelling = Duration.toMillis("5 seconds")

export interface Reply {
  readonly content: ModelReply["content"]
  readonly call: AnsweredCall
  /**
   * The conversation fills so much of the context window of the task's own model that it wants a summary. A fallback's reply never says so:
   * nothing is hidden for the sake of a model that was not asked for.
   */
  readonly isCrowded: boolean
}

/** What of a task its model's calls depend on. */
export type AskingTask = Pick<Task, "model" | "createdAt"> & { readonly effort?: Effort | undefined }

/** Is told while a model keeps a task waiting, each time with the reason in words; may fail to stop the waiting. */
export type Waiting<E, R> = (reason: string) => Effect.Effect<void, E, R>

/** Calls of the model that a task names, patient with providers that are busy or away. */
export class ModelCalls extends Context.Service<
  ModelCalls,
  {
    /** Loads what a call of the model needs, so that a call to come leaves at once. What is wrong with the model, the call says. */
    readonly load: (model: Schema.Json) => Effect.Effect<void>
    /**
     * The next reply. Transient failures are retried for BYTEBOT_MODEL_RETRY_FOR, honouring the provider's Retry-After; a model that
     * stays unavailable gives way to BYTEBOT_MODEL_FALLBACKS. A fallback for which the conversation is too long is passed over: the failure
     * ContextTooLong is always that of the task's own model.
     */
    readonly reply: <E, R>(
      task: AskingTask,
      conversation: Conversation,
      waiting: Waiting<E, R>
    ) => Effect.Effect<Reply, ModelError | E, R>
    /** A summary of the conversation, in words. It is not worth waiting for: a failure is final. */
    readonly summary: (
      task: AskingTask,
      conversation: Conversation
    ) => Effect.Effect<{ readonly content: string; readonly call: AnsweredCall }, ModelError>
  }
>()("bytebot/ModelCalls") {
  static readonly layer = Layer.effect(
    ModelCalls,
    Effect.gen(function* () {
      const settings = yield* Settings
      const models = yield* LanguageModels
      const catalog = yield* ModelCatalog
      const facts = yield* ModelFacts
      const crowdedAt = yield* makeCrowdedAt
      const route = new ModelRoute(Duration.toMillis(settings.modelFallbackAfter))
      const patience = Duration.toMillis(settings.modelRetryFor)
      const generate = yield* makeGenerate

      const reply = Effect.fn("ModelCalls.reply")(function* <E, R>(
        task: AskingTask,
        conversation: Conversation,
        waiting: Waiting<E, R>
      ) {
        const stored = yield* decodeStored(task.model)
        let fallbacks: ReadonlyArray<Candidate> = Option.getOrElse(settings.modelFallbacks, () => [])
        const begun = yield* Clock.currentTimeMillis
        const shapes = new WrongShapes()
        for (let attempt = 1; ; attempt++) {
          const candidate = route.choose([stored, ...fallbacks], yield* Clock.currentTimeMillis)
          const result = yield* Effect.result(
            generate(task, candidate, conversation, ({ turns }) => ({ turns, toolChoice: "auto" }))
          )
          if (result._tag === "Success") {
            route.succeeded(candidate)
            const { call, content } = result.success
            const used = call.tokens.input + call.tokens.output
            const isCrowded = candidate === stored && used >= crowdedAt(stored)
            return { content, call, isCrowded } satisfies Reply
          }
          const error = result.failure
          const now = yield* Clock.currentTimeMillis
          const isInVain = shapes.isFinal(candidate, error) && (candidate !== stored || fallbacks.length === 0)
          const isTransient = error.isTransient && !isInVain
          const isUseless = candidate !== stored && !isTransient
          if (isUseless) fallbacks = fallbacks.filter((other) => other !== candidate)
          if (!isUseless && !(isTransient && now - begun < patience)) return yield* error
          // A conversation that is too long says nothing about the model: other tasks may ask it.
          if (error.reason !== "ContextTooLong") route.failed(candidate, now)
          const isOther = route.choose([stored, ...fallbacks], now) !== candidate
          const backoff = Math.min(longestPause, firstPause * 2 ** (attempt - 1)) * (0.8 + 0.4 * (yield* Random.next))
          const pause = isOther ? 0 : Math.min(Math.max(error.retryAfter ?? 0, backoff), begun + patience - now)
          yield* Effect.logWarning(
            isOther ? "The model stays unavailable, asking another one" : "The model did not answer, trying again"
          ).pipe(
            Effect.annotateLogs({ attempt, reason: error.reason, message: error.message, pauseMs: Math.round(pause) })
          )
          yield* measure(metrics.modelRetries, 1, {
            "gen_ai.provider.name": labelOf(candidate.provider),
            reason: error.reason
          })
          yield* Effect.annotateCurrentSpan({ "model.attempts": attempt, "model.waiting_for": error.message })
          if (now + pause - begun >= worthTelling) yield* waiting(`Waiting for the model: ${error.message}`)
          yield* Effect.sleep(Duration.millis(pause))
        }
      })

      const summary = Effect.fn("ModelCalls.summary")(function* (task: AskingTask, conversation: Conversation) {
        const stored = yield* decodeStored(task.model)
        const { call, content } = yield* generate(task, stored, conversation, ({ turns }) => ({
          turns: asking(turns),
          toolChoice: "none"
        }))
        const words = content
          .flatMap((block) => (block.type === "text" ? [block.text] : []))
          .join("\n")
          .trim()
        return words === ""
          ? yield* new ModelError({ reason: "InvalidRequest", message: "The summary is empty" })
          : { content: words, call: { ...call, prefix: null } }
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

/** One call of a model. */
const makeGenerate = Effect.gen(function* () {
  const { applications } = yield* Settings
  const models = yield* LanguageModels
  const facts = yield* ModelFacts
  const timeZone = DateTime.zoneMakeLocal()
  const fitPictures = yield* makeFit
  const tools = toolDefinitions(applications.map(({ name }) => name))

  const generate = Effect.fnUntraced(function* (
    task: AskingTask,
    candidate: Candidate,
    conversation: Conversation,
    finish: (rendered: Rendered) => Pick<ModelRequest, "turns" | "toolChoice">
  ) {
    const language = yield* models.of(candidate.provider)
    const now = yield* DateTime.now
    const system = systemPrompt({ applications, taskCreatedAt: task.createdAt, timeZone })
    const reader: Reader = {
      provider: candidate.provider,
      model: candidate.name ?? "",
      preamble: hash("sha1", system, "base64"),
      now,
      timeZone
    }
    const fitting = yield* fitPictures(readable(conversation.entries), language.limits.picture)
    const entries = withinLimits(fitting, language.limits)
    const rendered = toTurns({ ...conversation, entries }, reader)
    const begun = yield* Clock.currentTimeMillis
    const answer = yield* language.generate({
      model: candidate.name,
      system,
      tools,
      effort: task.effort,
      ...finish(rendered)
    })
    const tariff = facts.tariff({ provider: reader.provider, name: reader.model })
    const call: AnsweredCall = {
      provider: reader.provider,
      model: reader.model,
      tokens: answer.usage,
      cost: tariff === undefined ? null : costOf(tariff, answer.usage),
      durationMs: (yield* Clock.currentTimeMillis) - begun,
      prefix: rendered.prefix,
      askedAt: now
    }
    yield* Effect.annotateCurrentSpan({
      "gen_ai.usage.input_tokens": answer.usage.input,
      "gen_ai.usage.output_tokens": answer.usage.output,
      "gen_ai.usage.cache_read.input_tokens": answer.usage.cacheRead,
      "gen_ai.usage.cache_creation.input_tokens": answer.usage.cacheWrite
    })
    yield* count(call)
    return { content: answer.content, call }
  }, asChat)

  return generate
})

/** A task may name any provider, but only those that there are become labels. */
const labelOf = (provider: string): string => (Schema.is(ModelProvider)(provider) ? provider : "unknown")

/** What a call took, for those who watch. */
const count = Effect.fnUntraced(function* ({ cost, provider, tokens }: AnsweredCall) {
  const labels = { "gen_ai.provider.name": labelOf(provider) }
  const types = {
    input: tokens.input - tokens.cacheRead - tokens.cacheWrite,
    output: tokens.output,
    cache_read: tokens.cacheRead,
    cache_write: tokens.cacheWrite
  }
  for (const [type, amount] of Object.entries(types)) {
    yield* measure(metrics.modelTokens, amount, { ...labels, "gen_ai.token.type": type })
  }
  yield* measure(metrics.modelCost, cost ?? 0, labels)
})

/** Its span, named as OpenTelemetry's "Semantic conventions for GenAI client spans" say; the providers add their own names to it. */
const asChat = <A, R>(call: Effect.Effect<A, ModelError, R>, _task: AskingTask, { name, provider }: Candidate) =>
  call.pipe(
    timed(metrics.modelCalls, ({ failure, isBroken }) => ({
      "gen_ai.provider.name": labelOf(provider),
      outcome: failure?.reason ?? (isBroken ? "Interrupted" : "ok")
    })),
    Effect.tapError(({ reason }) => Effect.annotateCurrentSpan({ "error.type": reason })),
    Effect.withSpan(name === undefined ? "chat" : `chat ${name}`, {
      kind: "client",
      attributes: { "gen_ai.operation.name": "chat", "gen_ai.provider.name": provider }
    })
  )

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

/** The turns with the request for a summary at their end. */
const asking = (turns: ModelRequest["turns"]): ModelRequest["turns"] => {
  const last = turns.at(-1)
  return last?.role === "user"
    ? [...turns.slice(0, -1), { ...last, content: [...last.content, text(summaryRequest)] }]
    : [...turns, { role: "user", content: [text(summaryRequest)] }]
}

const decodeStored = (model: Schema.Json) =>
  Schema.decodeUnknownEffect(StoredModel)(model).pipe(
    Effect.mapError(
      () => new ModelError({ reason: "InvalidRequest", message: "The task names no model that can be used" })
    )
  )
