import { type Cause, Clock, Duration, Effect, FiberHandle } from "effect"
import type { Model } from "../domain/Model.ts"
import { shownModels } from "./Answers.ts"
import { LanguageModels, type ListedModel, type ModelError } from "./LanguageModel.ts"
import { ModelFacts } from "./ModelFacts.ts"
import type { providers } from "./Providers.ts"

/** How long a provider's own list counts as new, and how long it is left alone when it gave none. */
const [freshFor, quietFor] = [Duration.toMillis("1 hour"), Duration.toMillis("5 minutes")]

const patience = Duration.seconds(30)

/**
 * The built-in models of the given providers, brought up to date by what the providers' endpoints list. A caller
 * gets what is known at once, and an old list is renewed in the background until the scope closes. A provider that gives no list keeps
 * the one it has.
 */
export const offeredModels = Effect.fnUntraced(function* (of: typeof providers) {
  const languages = yield* LanguageModels
  const facts = yield* ModelFacts
  const renewal = yield* FiberHandle.make()
  const known = new Map(of.map(({ models, name }) => [name, models]))
  let staleAt = 0

  const renew = Effect.fn("OfferedModels.renew")(function* (provider: (typeof providers)[number]) {
    const language = yield* languages.of(provider.name)
    const listed = yield* Effect.timeout(language.list, patience)
    yield* facts.learn(listed)
    if (listed.length > 0) known.set(provider.name, inOrder(provider.models, listed))
  })

  const tell = ({ key }: (typeof providers)[number], error: ModelError | Cause.TimeoutError) =>
    error._tag === "ModelError" && error.reason === "Unauthorized"
      ? Effect.logWarning(
          `${key} is refused, tasks with its models fail: correct it and start again (${error.message})`
        )
      : Effect.logDebug("A provider did not list its models", error.message)

  const renewAll = Effect.gen(function* () {
    const results = yield* Effect.forEach(
      of,
      (provider) =>
        Effect.result(renew(provider)).pipe(
          Effect.tap((result) => (result._tag === "Failure" ? tell(provider, result.failure) : Effect.void))
        ),
      { concurrency: "unbounded" }
    )
    const isComplete = results.every(({ _tag }) => _tag === "Success")
    staleAt = (yield* Clock.currentTimeMillis) + (isComplete ? freshFor : quietFor)
  })

  return Effect.gen(function* () {
    if ((yield* Clock.currentTimeMillis) >= staleAt) yield* FiberHandle.run(renewal, renewAll, { onlyIfMissing: true })
    return [...known.values()].flat()
  })
})

/**
 * The built-in models that are still listed (by their name or as an alias of a dated one), with the window that the endpoint tells, then the
 * others.
 */
const inOrder = (builtIn: ReadonlyArray<Model>, listed: ReadonlyArray<ListedModel>): ReadonlyArray<Model> => {
  const kept = builtIn.flatMap((model) => {
    const found = listed.find(({ name }) => name === model.name || name.startsWith(`${model.name}-`))
    return found === undefined ? [] : [{ ...model, contextWindow: found.contextWindow ?? model.contextWindow }]
  })
  return [...kept, ...shownModels(listed.filter(({ name }) => kept.every((one) => one.name !== name)))]
}
