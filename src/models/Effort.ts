import { Effect } from "effect"
import type { ModelError, ModelReply, ModelRequest } from "./LanguageModel.ts"

/** Words of refusals: Anthropic and OpenAI name the parameter, Google the level or the budget, LiteLLM quotes `reasoning_effort`. */
const isAboutEffort = ({ message, reason }: ModelError): boolean =>
  reason === "InvalidRequest" && /effort|thinking[ _.]?(level|budget|config)|reasoning(?![ _]content)/i.test(message)

/** Asks a model that refuses the effort once more without it, and remembers that where it helps. */
export const withEffort = <Rest extends ReadonlyArray<unknown>>(
  generate: (request: ModelRequest, ...rest: Rest) => Effect.Effect<ModelReply, ModelError>
): typeof generate => {
  const refusing = new Set<string | undefined>()
  return (request, ...rest) => {
    const { effort, ...plain } = request
    if (effort === undefined || refusing.has(request.model)) return generate(plain, ...rest)
    return generate(request, ...rest).pipe(
      Effect.catchIf(isAboutEffort, () =>
        generate(plain, ...rest).pipe(Effect.tap(() => Effect.sync(() => refusing.add(request.model))))
      )
    )
  }
}
