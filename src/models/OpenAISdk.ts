import { type Duration, Effect } from "effect"
import { boundedFetch, sdkTimeout } from "./BoundedFetch.ts"
import { ModelError } from "./LanguageModel.ts"
import { type OpenAIProblem, toProblem } from "./OpenAIErrors.ts"

/**
 * Loads OpenAI's official SDK: `clientOf` makes a client for an API key and a base URL (null: OpenAI's own), and `failed` tells what a failed
 * call means. `whose` names the provider in errors, such as "OpenAI's". Loading takes up to a second: cache what it gives.
 */
export const loadOpenAI = (whose: string, silence: Duration.Duration) =>
  Effect.map(
    Effect.promise(() => import("openai")),
    ({ default: OpenAI }) => ({
      clientOf: (apiKey: string, baseURL: string | null, defaultHeaders: Readonly<Record<string, string>>) =>
        new OpenAI({
          apiKey,
          baseURL,
          defaultHeaders,
          maxRetries: 0,
          timeout: sdkTimeout,
          fetch: boundedFetch(silence)
        }),
      failed: (cause: unknown): ModelError | OpenAIProblem =>
        cause instanceof OpenAI.APIError
          ? toProblem(cause)
          : new ModelError({ reason: "Unavailable", message: `${whose} answer could not be read` })
    })
  )
