import { sendFrames } from "./eventStream.ts"
import { sendJson } from "./httpServer.ts"
import { type Dialect, type ModelEmulator, type ModelEmulatorOptions, provider, runEmulator } from "./modelEmulator.ts"
import { PromptCache, type PromptTokens } from "./openaiCache.ts"
import { invalid } from "./openaiShape.ts"
import { completion, errorBody } from "./proxyReplies.ts"
import { type ChatRequest, checkChatRequest, firstUserText, hasTool } from "./proxyRequest.ts"
import { rulesOf, type ServerKind } from "./proxyServers.ts"
import { errorFrame, streamFrames } from "./proxyStream.ts"
import { Rejection } from "./rejection.ts"

/** An OpenAI-compatible proxy on the wire: LiteLLM (https://docs.litellm.ai), or an endpoint that knows paths under /v1 only. */

export interface ProxyOptions extends ModelEmulatorOptions<ChatRequest> {
  /** As Ollama and vLLM: nothing at the root, and no /model/info. "LM Studio": an error in a 200 (github.com/lmstudio-ai/lmstudio-bug-tracker/issues/618). */
  readonly onlyV1?: boolean | "LM Studio"
  /** The endpoint whose own rules it has. */
  readonly server?: ServerKind
}
export type ProxyEmulator = ModelEmulator<ChatRequest, PromptTokens>

const ordinaryModels = ["anthropic/claude-opus-5-5", "ollama/qwen"]

const dialect = ({ models, onlyV1 = false, server }: ProxyOptions): Dialect<ChatRequest, PromptTokens> => {
  const rules = rulesOf(server)
  const cache = new PromptCache()
  const offered = models ?? ordinaryModels
  return {
    maxBodyBytes: 50 * 1024 * 1024,
    keyOf: (headers) => headers.authorization?.replace(/^Bearer ?/, "") ?? null,
    secretHeaders: ["authorization"],
    answerHeaders: (id) => ({ "x-litellm-call-id": id }),
    authenticate: (entry, key) => {
      if (key === undefined || entry.apiKey === key) return
      throw new Rejection(401, { type: "auth_error", message: "Authentication Error", param: "None", code: "401" })
    },
    tooLarge: new Rejection(413, { type: "bad_request_error", message: "Request too large", param: null, code: "413" }),
    notJson: invalid(null, "Invalid JSON payload", null),
    understand: ({ body, method }, path) => {
      const route = `${method} ${onlyV1 !== false || path.startsWith("/v1/") ? path : `/v1${path}`}`
      if (route === "POST /v1/chat/completions") {
        checkChatRequest(body, rules.longestId)
        rules.check(body.messages)
        if (models?.includes(body.model) === false) {
          throw invalid("model", `Invalid model name passed in model=${body.model}`, "400")
        }
        return { call: body, cacheRead: cache.read([body.model], [body.tools ?? [], ...body.messages]) }
      }
      if (route === "GET /v1/models") {
        return { answer: { object: "list", data: offered.map((id) => ({ id, object: "model", owned_by: "openai" })) } }
      }
      if (route === "GET /v1/model/info" && onlyV1 === false) {
        const entries = offered.map((model) => ({ model_name: model.split("/").at(-1), litellm_params: { model } }))
        return { answer: { data: entries } }
      }
      if (onlyV1 === "LM Studio") return { answer: { error: `Unexpected endpoint or method. (${method} ${path})` } }
      throw new Rejection(404, { type: "not_found", message: "Not Found", param: null, code: "404" })
    },
    firstUserText,
    offers: hasTool,
    send: (reply, call, response, gone) => {
      const answer = completion(reply, call.body, call.cacheRead, rules)
      if (call.body.stream !== true || reply.streams === false) return sendJson(response, 200, answer)
      const isUsageWanted = call.body.stream_options?.include_usage === true
      return sendFrames(reply, streamFrames(answer, isUsageWanted), errorFrame, response, gone)
    },
    errorBody: (error, status) => errorBody(error, status),
    reset: () => cache.clear()
  }
}

export const { scoped, start } = provider<ChatRequest, PromptTokens, ProxyOptions>(dialect)

if (import.meta.main) await runEmulator("LLM proxy", 9804, start)
