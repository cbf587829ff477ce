import { modelInfo, stream } from "./anthropicAnswers.ts"
import { PromptCache } from "./anthropicCache.ts"
import { type CacheRead, completeMessage, errorBody, firstUserText, hasTool } from "./anthropicReplies.ts"
import { checkMessagesRequest, checkPrompt, type MessagesRequest, versions } from "./anthropicRequest.ts"
import { dictionary, invalid } from "./anthropicShape.ts"
import { checkThoughts, readBefore, type Thought } from "./anthropicThoughts.ts"
import { sendJson } from "./httpServer.ts"
import {
  type Dialect,
  type LedgerEntry,
  type ModelEmulator,
  type ModelEmulatorOptions,
  provider,
  runEmulator
} from "./modelEmulator.ts"
import { Rejection } from "./rejection.ts"

/** The Anthropic Messages API on the wire: https://platform.claude.com/docs/en/api/messages. */

export type AnthropicOptions = ModelEmulatorOptions<MessagesRequest>
export type AnthropicEmulator = ModelEmulator<MessagesRequest, CacheRead>

const dialect = (models: ReadonlyArray<string> | undefined): Dialect<MessagesRequest, CacheRead> => {
  const cache = new PromptCache()
  const thoughts = new Map<string, Thought>()
  return {
    maxBodyBytes: 32 * 1024 * 1024,
    // The SDK sends the key as a bearer token from 1.0 on.
    keyOf: (headers) => headers["x-api-key"] ?? headers.authorization?.replace(/^Bearer ?/, "") ?? null,
    secretHeaders: ["x-api-key", "authorization"],
    answerHeaders: (id) => ({ "request-id": id }),
    authenticate: ({ apiKey, headers }, key) => {
      checkKey(apiKey, key)
      checkVersion(headers)
    },
    tooLarge: new Rejection(413, { type: "request_too_large", message: "Request exceeds the maximum size" }),
    notJson: invalid("", "The request body is not valid JSON"),
    understand: ({ body, headers, method }, path) => {
      const route = `${method} ${path}`
      if (route === "POST /v1/messages") {
        checkMessagesRequest(body, headers["anthropic-version"] ?? "")
        checkThoughts(body, thoughts)
        if (models?.includes(body.model) === false) throw noModel(body.model)
        return { call: body, cacheRead: cache.read(body) }
      }
      if (route === "POST /v1/messages/count_tokens") {
        checkPrompt(dictionary(body, ""))
        return { answer: { input_tokens: Math.ceil(JSON.stringify(body).length / 4) } }
      }
      if (method === "GET" && path === "/v1/models") return { answer: modelPage(models) }
      if (method === "GET" && path.startsWith("/v1/models/")) {
        return { answer: oneModel(path.slice("/v1/models/".length), models) }
      }
      throw notFound("Not Found")
    },
    firstUserText,
    offers: hasTool,
    send: (reply, call, response, gone) => {
      const message = completeMessage(reply, call.body, call.cacheRead)
      const prefix = readBefore(call.body)
      for (const block of message.content) {
        if (block.type === "thinking") thoughts.set(block.signature, { thinking: block.thinking, prefix })
      }
      if (call.body.stream === true && reply.streams !== false) return stream(reply, message, response, gone)
      return sendJson(response, 200, message)
    },
    errorBody: (error, _status, id) => errorBody(error, id),
    reset: () => {
      cache.clear()
      thoughts.clear()
    }
  }
}

const checkKey = (given: string | null, key: string | undefined): void => {
  const refused = (message: string) => new Rejection(401, { type: "authentication_error", message })
  if (given === null) throw refused("x-api-key header is required")
  if (given === "" || (key !== undefined && given !== key)) throw refused("invalid x-api-key")
}

const checkVersion = (headers: LedgerEntry["headers"]): void => {
  const version = headers["anthropic-version"]
  if (version === undefined) throw invalid("anthropic-version", "header is required")
  if (!versions.includes(version)) throw invalid("anthropic-version", `"${version}" is not a valid version`)
}

const notFound = (message: string) => new Rejection(404, { type: "not_found_error", message })
const noModel = (model: string) => notFound(`model: ${model}`)

const known = (models: ReadonlyArray<string> | undefined) =>
  (models ?? ["claude-opus-5-5", "claude-sonnet-5-5", "claude-haiku-5-5"]).map(modelInfo)

const modelPage = (models: ReadonlyArray<string> | undefined) => {
  const data = known(models)
  return { data, has_more: false, first_id: data[0]?.id ?? null, last_id: data.at(-1)?.id ?? null }
}

const oneModel = (id: string, models: ReadonlyArray<string> | undefined) => {
  const model = known(models).find((one) => one.id === id)
  if (model === undefined) throw noModel(id)
  return model
}

/** Its URL goes to the SDK without /v1. */
export const { scoped, start } = provider<MessagesRequest, CacheRead, AnthropicOptions>(({ models }) => dialect(models))

if (import.meta.main) await runEmulator("Anthropic", 9801, start)
