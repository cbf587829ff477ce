import { sendFrames } from "./eventStream.ts"
import { sendJson } from "./httpServer.ts"
import { type Dialect, type ModelEmulator, type ModelEmulatorOptions, provider, runEmulator } from "./modelEmulator.ts"
import { PromptCache, type PromptTokens } from "./openaiCache.ts"
import { modelInfo, ordinaryModels } from "./openaiModels.ts"
import { GivenReasoning } from "./openaiReasoning.ts"
import { completeResponse, errorBody } from "./openaiReplies.ts"
import { checkResponsesRequest, firstUserText, hasTool, type ResponsesRequest } from "./openaiRequest.ts"
import { invalid } from "./openaiShape.ts"
import { errorFrame, streamFrames } from "./openaiStream.ts"
import { Rejection } from "./rejection.ts"

/** The OpenAI Responses API on the wire: https://developers.openai.com/api/reference/resources/responses. */

export type OpenAIOptions = ModelEmulatorOptions<ResponsesRequest>
export type OpenAIEmulator = ModelEmulator<ResponsesRequest, PromptTokens>

/** From GPT-6.2 on: developers.openai.com/api/docs/guides/latest-model/gpt-6.2-astra, "Changes to the `instructions` field". */
const readsInstructionsLast = (model: string): boolean => /^gpt-(6\.[2-9]|[7-9])/.test(model)

const dialect = (models: ReadonlyArray<string> | undefined): Dialect<ResponsesRequest, PromptTokens> => {
  const cache = new PromptCache()
  const reasoning = new GivenReasoning()
  return {
    maxBodyBytes: 50 * 1024 * 1024,
    keyOf: (headers) => headers.authorization?.replace(/^Bearer ?/, "") ?? null,
    secretHeaders: ["authorization"],
    answerHeaders: (id) => ({ "x-request-id": id, "openai-version": "2020-10-01" }),
    authenticate: ({ apiKey }, key) => checkKey(apiKey, key),
    tooLarge: new Rejection(413, {
      type: "invalid_request_error",
      message: "Request body is too large.",
      param: null,
      code: "request_too_large"
    }),
    notJson: invalid(
      null,
      "We could not parse the JSON body of your request. (HINT: This likely means you aren't using your HTTP library " +
        "correctly. The OpenAI API expects a JSON payload, but what was sent was not valid JSON.)",
      null
    ),
    understand: ({ body, method }, path) => {
      if (method === "POST" && path === "/v1/responses") {
        checkResponsesRequest(body)
        if (typeof body.input !== "string") reasoning.check(body.input, body.model)
        if (models?.includes(body.model) === false)
          throw noModel(400, `The requested model '${body.model}' does not exist.`)
        const { input, instructions, model, prompt_cache_key, tools } = body
        const items = typeof input === "string" ? [input] : input
        const parts = readsInstructionsLast(model)
          ? [tools ?? [], ...items, instructions ?? ""]
          : [tools ?? [], instructions ?? "", ...items]
        return { call: body, cacheRead: cache.read([model, prompt_cache_key ?? null], parts) }
      }
      if (method === "GET" && path === "/v1/models") {
        return { answer: { object: "list", data: (models ?? ordinaryModels).map(modelInfo) } }
      }
      if (method === "GET" && path.startsWith("/v1/models/")) {
        const id = path.slice("/v1/models/".length)
        if ((models ?? ordinaryModels).includes(id)) return { answer: modelInfo(id) }
        throw noModel(404, `The model '${id}' does not exist`)
      }
      throw new Rejection(404, {
        type: "invalid_request_error",
        message: `Invalid URL (${method} ${path})`,
        param: null,
        code: null
      })
    },
    firstUserText,
    offers: hasTool,
    send: (reply, call, response, gone) => {
      const answer = completeResponse(reply, call.body, call.cacheRead)
      for (const item of answer.output) {
        if (item.type !== "reasoning" || typeof item.encrypted_content !== "string") continue
        reasoning.remember(item.encrypted_content, item.id, call.body.model)
      }
      return call.body.stream === true && reply.streams !== false
        ? sendFrames(reply, streamFrames(answer), errorFrame, response, gone)
        : sendJson(response, 200, answer)
    },
    errorBody,
    reset: () => {
      cache.clear()
      reasoning.clear()
    }
  }
}

const checkKey = (given: string | null, key: string | undefined): void => {
  const refused = (message: string, code: string | null) =>
    new Rejection(401, { type: "invalid_request_error", message, param: null, code })
  if (given === null || given === "") {
    throw refused(
      "You didn't provide an API key. You need to provide your API key in an Authorization header using Bearer auth (i.e. " +
        "Authorization: Bearer YOUR_KEY).",
      null
    )
  }
  if (key !== undefined && given !== key) {
    throw refused(
      `Incorrect API key provided: ${given.slice(0, 8)}${"*".repeat(8)}${given.slice(-4)}. You can find your API key at ` +
        "https://platform.openai.com/account/api-keys.",
      "invalid_api_key"
    )
  }
}

const noModel = (status: number, message: string) =>
  new Rejection(status, { type: "invalid_request_error", message, param: "model", code: "model_not_found" })

/** The SDK's base URL is its URL with /v1. */
export const { scoped, start } = provider<ResponsesRequest, PromptTokens, OpenAIOptions>(({ models }) =>
  dialect(models)
)

if (import.meta.main) await runEmulator("OpenAI", 9802, start)
