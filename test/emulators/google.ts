import { type CacheRead, ImplicitCache } from "./googleCache.ts"
import { listed, modelInfo } from "./googleModels.ts"
import { completeAnswer, errorBody } from "./googleReplies.ts"
import { checkRequest, firstUserText, type GenerateContentRequest, hasTool } from "./googleRequest.ts"
import { rejection } from "./googleShape.ts"
import { errorFrame, streamFrames } from "./googleStream.ts"
import { checkThoughts, essence, type Signed } from "./googleThoughts.ts"
import { sendFrames } from "./eventStream.ts"
import { sendJson } from "./httpServer.ts"
import { type Dialect, type ModelEmulator, type ModelEmulatorOptions, provider, runEmulator } from "./modelEmulator.ts"

/** Google's Gemini API on the wire: https://ai.google.dev/api/generate-content. */

export type GoogleOptions = ModelEmulatorOptions<GenerateContentRequest>
export type GoogleEmulator = ModelEmulator<GenerateContentRequest, CacheRead>

const maxBodyBytes = 20 * 1024 * 1024
const route = /^\/(v1|v1beta)\/models(?:\/([^/:]+)(?::([a-zA-Z]+))?)?$/

const actions = new Set<string | undefined>(["generateContent", "streamGenerateContent"])

const dialect = (options: GoogleOptions): Dialect<GenerateContentRequest, CacheRead> => {
  const cache = new ImplicitCache()
  const signatures = new Map<string, Signed>()
  const limit = options.maxBodyBytes ?? maxBodyBytes
  const models = options.models ?? listed
  return {
    maxBodyBytes,
    keyOf: (headers, url) => headers["x-goog-api-key"] ?? new URLSearchParams(url.split("?")[1] ?? "").get("key"),
    secretHeaders: ["x-goog-api-key"],
    answerHeaders: () => ({ vary: "Origin, X-Origin, Referer" }),
    authenticate: ({ apiKey }, key) => checkKey(apiKey, key),
    tooLarge: rejection(400, `Request payload size exceeds the limit: ${limit} bytes.`),
    notJson: rejection(400, "Invalid JSON payload received. Expected an object key or }."),
    understand: ({ body, method }, path) => {
      const [, version = "", model, action] = route.exec(decodeURIComponent(path)) ?? []
      if (method === "POST" && model !== undefined && actions.has(action)) {
        if (options.models?.includes(model) === false) throw noModel(model, version)
        checkRequest(body, model)
        checkThoughts(body.contents, model, signatures)
        return { call: body, cacheRead: cache.read(body, model) }
      }
      if (method === "GET" && version !== "" && action === undefined) {
        if (model === undefined) return { answer: { models: models.map(modelInfo) } }
        if (models.includes(model)) return { answer: modelInfo(model) }
        throw noModel(model, version)
      }
      throw rejection(404, "Requested entity was not found.")
    },
    firstUserText,
    offers: hasTool,
    send: (reply, call, response, gone) => {
      const model = modelOf(call.url)
      const { answer, parts } = completeAnswer(reply, model, call.cacheRead)
      for (const part of parts) {
        if (part.thoughtSignature !== undefined) signatures.set(part.thoughtSignature, { model, part: essence(part) })
      }
      return call.url.includes(":streamGenerateContent") && reply.streams !== false
        ? sendFrames(reply, streamFrames(answer), errorFrame, response, gone)
        : sendJson(response, 200, answer)
    },
    errorBody: (error, status) => errorBody(error, status),
    reset: () => {
      cache.clear()
      signatures.clear()
    }
  }
}

/** The model that a call's URL names. */
export const modelOf = (url: string): string => route.exec(decodeURIComponent(url.split("?")[0] ?? ""))?.[2] ?? ""

const checkKey = (given: string | null, key: string | undefined): void => {
  if (given === null) {
    throw rejection(
      403,
      "Method doesn't allow unregistered callers (callers without established identity). Please use API Key or other " +
        "form of API consumer identity to call this API."
    )
  }
  if (given === "" || (key !== undefined && given !== key)) {
    throw rejection(400, "API key not valid. Please pass a valid API key.", [
      {
        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
        reason: "API_KEY_INVALID",
        domain: "googleapis.com",
        metadata: { service: "generativelanguage.googleapis.com" }
      }
    ])
  }
}

const noModel = (model: string, version: string) =>
  rejection(
    404,
    `models/${model} is not found for API version ${version}, or is not supported for generateContent. Call ListModels ` +
      "to see the list of available models and their supported methods."
  )

/** Its URL goes to the SDK without a version. */
export const { scoped, start } = provider<GenerateContentRequest, CacheRead, GoogleOptions>(dialect)

if (import.meta.main) await runEmulator("Google", 9803, start)
