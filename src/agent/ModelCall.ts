import { hash } from "node:crypto"
import { Clock, DateTime, Effect, Schema } from "effect"
import { Settings } from "../config/Settings.ts"
import type { AnsweredCall, Conversation } from "../domain/Conversation.ts"
import { ModelProvider } from "../domain/Model.ts"
import type { Effort, Task } from "../domain/Task.ts"
import { LanguageModels, type ModelError, type ModelRequest } from "../models/LanguageModel.ts"
import { ModelFacts } from "../models/ModelFacts.ts"
import { costOf } from "../models/ModelPrices.ts"
import { measure, metrics, timed } from "../observability/Metrics.ts"
import { readable } from "./FileContent.ts"
import type { Candidate } from "./ModelRoute.ts"
import { systemPrompt } from "./Prompt.ts"
import { Refusals } from "./Refusals.ts"
import { makeFit } from "./Scaling.ts"
import { withinLimits } from "./Screenshots.ts"
import { toolDefinitions } from "./Tools.ts"
import { type Reader, type Rendered, rendering, toTurns } from "./Turns.ts"

/** What of a task its model's calls depend on. */
export type AskingTask = Pick<Task, "model" | "createdAt"> & { readonly effort?: Effort | undefined }

export type Generate = Effect.Success<typeof makeGenerate>

/** One call of a model, asked again at once where a refusal tells what to leave out. */
export const makeGenerate = Effect.gen(function* () {
  const { applications } = yield* Settings
  const models = yield* LanguageModels
  const facts = yield* ModelFacts
  const timeZone = DateTime.zoneMakeLocal()
  const fitPictures = yield* makeFit
  const refusals = new Refusals()
  const tools = toolDefinitions(applications.map(({ name }) => name))

  const call = Effect.fnUntraced(function* (
    task: AskingTask,
    candidate: Candidate,
    conversation: Conversation,
    finish: (
      rendered: Rendered
    ) => Pick<ModelRequest, "turns" | "toolChoice" | "hear"> & Partial<Pick<ModelRequest, "tools">>
  ) {
    const language = yield* models.of(candidate.provider)
    const now = yield* DateTime.now
    const system = systemPrompt({ applications, taskCreatedAt: task.createdAt, timeZone })
    const reader: Reader = {
      provider: candidate.provider,
      model: candidate.name ?? "",
      preamble: hash("sha1", `${rendering}\n${JSON.stringify(tools)}\n${system}`, "base64"),
      now,
      timeZone,
      refused: refusals.reasoning
    }
    const fitting = yield* fitPictures(readable(conversation.entries), language.limits.picture)
    const entries = withinLimits(fitting, refusals.limitsOf(candidate, language.limits))
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
    const answered: AnsweredCall = {
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
    yield* count(answered)
    return { content: answer.content, call: answered }
  }, asChat)

  const generate = (...args: Parameters<typeof call>): ReturnType<typeof call> =>
    Effect.catchIf(
      call(...args),
      (error) => refusals.learn(args[1], args[2], error),
      () => generate(...args)
    )

  return generate
})

/** A task may name any provider, but only those that there are become labels. */
export const labelOf = (provider: string): string => (Schema.is(ModelProvider)(provider) ? provider : "unknown")

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
