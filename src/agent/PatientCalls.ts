import { Clock, Duration, Effect, Option, Random } from "effect"
import { Settings } from "../config/Settings.ts"
import type { ModelError, StoredModel } from "../models/LanguageModel.ts"
import { measure, metrics } from "../observability/Metrics.ts"
import { labelOf } from "./ModelCall.ts"
import { type Candidate, ModelRoute, WrongShapes } from "./ModelRoute.ts"

const firstPause = Duration.toMillis("1 second")
const longestPause = Duration.toMillis("60 seconds")

/** Short failures are nothing that a person needs to see. */
const worthTelling = Duration.toMillis("5 seconds")

/** Is told while a model keeps a task waiting, each time with the reason in words; may fail to stop the waiting. */
export type Waiting<E, R> = (reason: string) => Effect.Effect<void, E, R>

/** Calls the model that a task names, or one of BYTEBOT_MODEL_FALLBACKS, until it answers: for BYTEBOT_MODEL_RETRY_FOR. */
export const makePatiently = Effect.gen(function* () {
  const settings = yield* Settings
  const route = new ModelRoute(Duration.toMillis(settings.modelFallbackAfter))
  const patience = Duration.toMillis(settings.modelRetryFor)

  return Effect.fnUntraced(function* <A, E, R>(
    stored: StoredModel,
    waiting: Waiting<E, R>,
    call: (candidate: Candidate) => Effect.Effect<A, ModelError>
  ) {
    let candidates: ReadonlyArray<Candidate> = [stored, ...Option.getOrElse(settings.modelFallbacks, () => [])]
    let refusal: ModelError | undefined
    const begun = yield* Clock.currentTimeMillis
    const shapes = new WrongShapes()
    for (let attempt = 1; ; attempt++) {
      const candidate = route.choose(candidates, yield* Clock.currentTimeMillis) ?? stored
      const result = yield* Effect.result(call(candidate))
      if (result._tag === "Success") {
        route.succeeded(candidate)
        return { answer: result.success, isOwn: candidate === stored }
      }
      const error = result.failure
      const now = yield* Clock.currentTimeMillis
      const isInVain = shapes.isFinal(candidate, error) && (candidate !== stored || candidates.length === 1)
      const isTransient = error.isTransient && !isInVain
      // What the task's own model refuses, another one may do.
      const isOut = error.reason === "Refused" || (candidate !== stored && !isTransient)
      if (candidate === stored && error.reason === "Refused") refusal = error
      if (isOut) candidates = candidates.filter((other) => other !== candidate)
      if (candidates.length === 0) return yield* refusal ?? error
      if (!isOut && !(isTransient && now - begun < patience)) return yield* error
      // A refusal, or a conversation that is too long, says nothing about the model: other tasks may ask it.
      if (error.reason !== "ContextTooLong" && error.reason !== "Refused") route.failed(candidate, now)
      const isOther = route.choose(candidates, now) !== candidate
      const backoff = Math.min(longestPause, firstPause * 2 ** (attempt - 1)) * (0.8 + 0.4 * (yield* Random.next))
      const pause = isOther ? 0 : Math.min(Math.max(error.retryAfter ?? 0, backoff), begun + patience - now)
      yield* tellRetry(candidate, error, { attempt, pause, isOther })
      if (now + pause - begun >= worthTelling) yield* waiting(`Waiting for the model: ${error.message}`)
      yield* Effect.sleep(Duration.millis(pause))
    }
  })
})

/** Says that a model is asked again, or another one. */
const tellRetry = Effect.fnUntraced(function* (
  { provider }: Candidate,
  { message, reason }: ModelError,
  { attempt, isOther, pause }: { readonly attempt: number; readonly isOther: boolean; readonly pause: number }
) {
  yield* Effect.logWarning(
    isOther ? "The model stays unavailable, asking another one" : "The model did not answer, trying again"
  ).pipe(Effect.annotateLogs({ attempt, reason, message, pauseMs: Math.round(pause) }))
  yield* measure(metrics.modelRetries, 1, { "gen_ai.provider.name": labelOf(provider), reason })
  yield* Effect.annotateCurrentSpan({ "model.attempts": attempt, "model.waiting_for": message })
})
