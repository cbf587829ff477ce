import { Effect, Redacted, Ref, Schema } from "effect"
import { isStreamRefused, readAnswer } from "./AnswerStream.ts"
import { decodeAnswer, unexpectedShape } from "./Answers.ts"
import type { Hear, LanguageModel, ModelRequest, VendorOptions } from "./LanguageModel.ts"
import { isRefusal, toModelError } from "./OpenAIErrors.ts"
import { defaultModel, fromListed } from "./OpenAIModels.ts"
import { toReply } from "./OpenAIReply.ts"
import { type Asked, type Body, toBody } from "./OpenAIRequest.ts"
import { loadOpenAI } from "./OpenAISdk.ts"
import { OpenAIStream } from "./OpenAIStream.ts"

/**
 * The guide "Images and vision", in its older and narrower version: a request of 50 MB with 500 images. A part of the bytes is left for
 * what is not ours.
 */
const limits = {
  bytes: 49 * 1024 * 1024,
  images: 500,
  picture: { bytes: 20 * 1024 * 1024, side: 12_000, bestSide: 6000 }
}

/** OpenAI's Responses API through the official SDK, which is loaded when first used. Nothing is stored at OpenAI. */
export const make = (options: VendorOptions) =>
  Effect.gen(function* () {
    const loaded = yield* Effect.cached(
      Effect.map(loadOpenAI("OpenAI's", options.silence), ({ clientOf, failed }) => ({
        client: clientOf(Redacted.value(options.apiKey), options.baseUrl ?? null, Redacted.value(options.headers)),
        failed
      }))
    )

    /** Summaries of the reasoning are asked for until OpenAI says that this account may not have them. */
    const mayHaveSummaries = yield* Ref.make(true)

    /** Names of models that are not streamed, as to those who have not proved who they are. */
    const unstreamed = new Set<string>()

    const post = Effect.fnUntraced(function* (request: Body, isStreamed: boolean, hear: Hear | undefined) {
      const { client, failed } = yield* loaded
      const body = isStreamed ? { ...request, stream: true } : request
      const response = yield* Effect.tryPromise({
        try: (signal) => client.post("/responses", { body, signal }).asResponse(),
        catch: failed
      })
      return yield* readAnswer("OpenAI's", response, new OpenAIStream(hear))
    })

    const ask = (request: ModelRequest, asked: Asked): ReturnType<typeof post> => {
      const model = request.model ?? defaultModel
      const isStreamed = !unstreamed.has(model)
      return post(toBody(request, asked), isStreamed, request.hear).pipe(
        Effect.catchTag("OpenAIProblem", (problem) => {
          if (isStreamed && isRefusal(problem) && isStreamRefused(`${problem.param} ${problem.message}`)) {
            unstreamed.add(model)
            return ask(request, asked)
          }
          if (problem.param === "reasoning.summary" && asked.summary) {
            return Effect.andThen(Ref.set(mayHaveSummaries, false), ask(request, { ...asked, summary: false }))
          }
          // Reasoning can be read only with the keys of the account that it came from, and these change.
          return problem.code === "invalid_encrypted_content" && asked.earlier
            ? ask(request, { ...asked, earlier: false })
            : Effect.fail(problem)
        })
      )
    }

    const generate = Effect.fnUntraced(function* (request: ModelRequest) {
      yield* Effect.annotateCurrentSpan({
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": request.model ?? defaultModel
      })
      const summary = yield* Ref.get(mayHaveSummaries)
      const answer = yield* Effect.catchTag(ask(request, { earlier: true, summary }), "OpenAIProblem", (problem) =>
        Effect.fail(toModelError(problem))
      )
      return yield* toReply(answer)
    })

    const list = Effect.gen(function* () {
      const { client, failed } = yield* loaded
      const answer = yield* Effect.tryPromise({
        try: (signal) => client.get<unknown>("/models", { signal }),
        catch: failed
      }).pipe(Effect.catchTag("OpenAIProblem", (problem) => Effect.fail(toModelError(problem))))
      const { data } = yield* Effect.mapError(decodeModels(answer), () => unexpectedShape("OpenAI's", answer))
      return fromListed(data.map(({ id }) => id))
    }).pipe(Effect.withSpan("OpenAI.list"))

    return { load: Effect.asVoid(loaded), generate, list, limits } satisfies LanguageModel
  })

/** Of GET /v1/models. */
const decodeModels = decodeAnswer(Schema.Struct({ data: Schema.Array(Schema.Struct({ id: Schema.String })) }))
