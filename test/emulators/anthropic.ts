import type { IncomingMessage, ServerResponse } from "node:http"
import { parseArgs } from "node:util"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { modelInfo, stream } from "./anthropicAnswers.ts"
import { PromptCache } from "./anthropicCache.ts"
import { type CacheRead, completeMessage, errorBody, type Reply, requestId, type Scripted } from "./anthropicReplies.ts"
import { checkMessagesRequest, checkPrompt, type MessagesRequest, versions } from "./anthropicRequest.ts"
import { type Match, Script } from "./anthropicScript.ts"
import { dictionary, invalid, Rejection } from "./anthropicShape.ts"
import { checkThoughts } from "./anthropicThoughts.ts"
import {
  closeServer,
  goneSignal,
  headersOf,
  isRecord,
  type ListenOptions,
  listen,
  pause,
  readBody,
  runAsProcess,
  sendJson,
  sendText,
  serverOf,
  untilGone
} from "./httpServer.ts"
import { Ledger } from "./ledger.ts"

/**
 * The Anthropic Messages API on the wire: https://platform.claude.com/docs/en/api/messages. It refuses what the real
 * one refuses (before a scripted reply is used up) and answers what the test scripted.
 */

/** One HTTP request. Times are ms since the emulator started. */
export interface LedgerEntry {
  readonly t: number
  readonly method: string
  /** Path with query. */
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  /** From x-api-key, or Authorization: Bearer as the SDK sends it from 1.0 on. */
  readonly apiKey: string | null
  /** Parsed JSON, else the text. */
  readonly body: unknown
  /** The connection ended before the answer was complete: the client went away, or the emulator dropped it. */
  aborted: boolean
  /** Status of the answer, null as long as there is none. */
  status: number | null
  /** The error message of an answer that is an error. */
  error: string | null
  /** When the answer was complete or the connection gone. */
  endedAt: number | null
}

/** A call of the model that passed validation. */
export interface ModelRequest extends LedgerEntry {
  readonly body: MessagesRequest
  /** The last part of the prompt that came from the prompt cache. */
  readonly cacheRead: CacheRead
}

export interface AnthropicOptions extends ListenOptions {
  /** The one key that is accepted; default: any. */
  readonly apiKey?: string
  /** Used when no script has a reply left; default: set_task_status completed. */
  readonly defaultReply?: Scripted
  /** Other models get 404 not_found_error; default: every model exists. */
  readonly models?: ReadonlyArray<string>
  /** Default 32 MB. */
  readonly maxBodyBytes?: number
}

export interface AnthropicEmulator {
  /** Base URL for the SDK, without /v1. */
  readonly url: string
  readonly port: number
  /** Model calls that passed validation, oldest first. */
  readonly requests: ReadonlyArray<ModelRequest>
  /** Requests answered with a 4xx by validation: a test of a correct client finds this empty. */
  readonly rejected: ReadonlyArray<LedgerEntry>
  /** Everything received. */
  readonly ledger: ReadonlyArray<LedgerEntry>
  /** Adds replies for any conversation. */
  readonly enqueue: (...replies: ReadonlyArray<Scripted>) => void
  /** Adds replies for the conversations that match; they come before those of `enqueue`. */
  readonly script: (match: Match, ...replies: ReadonlyArray<Scripted>) => void
  readonly setDefault: (reply: Scripted) => void
  /** Scripted replies not used yet. */
  readonly pending: () => number
  /** Waits until `find` finds something in `requests`; rejects after `timeoutMs` (5000). */
  readonly waitFor: <A>(
    find: (requests: ReadonlyArray<ModelRequest>) => A | undefined | false,
    timeoutMs?: number
  ) => Promise<A>
  /** Waits for the n-th model call (1 = the first ever). */
  readonly waitForRequest: (n: number, timeoutMs?: number) => Promise<ModelRequest>
  /** Forgets ledger, scripts, default and prompt cache. */
  readonly reset: () => void
  readonly close: () => Promise<void>
}

/** The largest number of these requests that were open at the same time. */
export const maxOpen = (requests: ReadonlyArray<LedgerEntry>): number =>
  Math.max(
    0,
    ...requests.map(
      ({ t }) => requests.filter((other) => other.t <= t && (other.endedAt === null || other.endedAt > t)).length
    )
  )

/** Starts an emulator on a free port of 127.0.0.1, or where `options` say. */
export const start = async (options: AnthropicOptions = {}): Promise<AnthropicEmulator> => {
  const ledger = new Ledger<LedgerEntry>()
  const requests: Array<ModelRequest> = []
  const rejected: Array<LedgerEntry> = []
  const script = new Script(options.defaultReply)
  const cache = new PromptCache()
  const thoughts = new Map<string, string>()

  const reset = () => {
    for (const list of [requests, rejected]) list.length = 0
    ledger.clear()
    script.reset()
    cache.clear()
    thoughts.clear()
  }

  const control = (method: string, body: unknown, response: ServerResponse): void => {
    const masked = (entry: LedgerEntry) => {
      const { "x-api-key": _key, authorization: _authorization, ...headers } = entry.headers
      return { ...entry, headers, apiKey: entry.apiKey === null ? null : "…" }
    }
    if (method === "GET") sendJson(response, 200, { requests: requests.map(masked), rejected: rejected.map(masked) })
    else {
      if (method === "DELETE" || (isRecord(body) && body.reset === true)) reset()
      const taken = method === "DELETE" || script.load(body)
      sendJson(response, taken ? 200 : 400, taken ? { pending: script.pending() } : { error: "not a script" })
    }
  }

  const authenticate = (key: string | null): void => {
    if (key === null) throw new Rejection(401, "authentication_error", "x-api-key header is required")
    if (key === "" || (options.apiKey !== undefined && key !== options.apiKey)) {
      throw new Rejection(401, "authentication_error", "invalid x-api-key")
    }
  }

  const versionOf = (headers: Readonly<Record<string, string>>): string => {
    const version = headers["anthropic-version"]
    if (version === undefined) throw invalid("anthropic-version", "header is required")
    if (!versions.includes(version)) throw invalid("anthropic-version", `"${version}" is not a valid version`)
    return version
  }

  const exists = (model: string): void => {
    if (options.models?.includes(model) === false) throw new Rejection(404, "not_found_error", `model: ${model}`)
  }

  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const t = ledger.elapsed()
    const url = request.url ?? "/"
    const limit = options.maxBodyBytes ?? 32 * 1024 * 1024
    const { bytes, size } = await readBody(request, limit)
    const path = url.split("?")[0] ?? url
    const body = parse(bytes.toString("utf8"))
    if (path.startsWith("/__")) return control(request.method ?? "GET", body, response)

    const headers = headersOf(request)
    const entry: LedgerEntry = {
      t,
      method: request.method ?? "GET",
      url,
      headers,
      apiKey: headers["x-api-key"] ?? headers.authorization?.replace(/^Bearer ?/, "") ?? null,
      body,
      aborted: false,
      status: null,
      error: null,
      endedAt: null
    }
    const ended = () => {
      entry.endedAt = ledger.elapsed()
      ledger.changed()
    }
    const gone = goneSignal(response, () => {
      entry.aborted = true
      ended()
    })
    response.once("finish", ended)
    const id = requestId()
    response.setHeader("request-id", id)

    try {
      authenticate(entry.apiKey)
      const version = versionOf(entry.headers)
      if (size > limit) throw new Rejection(413, "request_too_large", "Request exceeds the maximum size")
      if (entry.method === "POST" && typeof body === "string") {
        throw invalid("", "The request body is not valid JSON")
      }
      const route = `${entry.method} ${path}`
      if (route === "POST /v1/messages") {
        checkMessagesRequest(body, version)
        checkThoughts(body, thoughts)
        exists(body.model)
        const call: ModelRequest = Object.assign(entry, { body, cacheRead: cache.read(body) })
        requests.push(call)
        ledger.add(call)
        return await answer(call, response, gone, id)
      }
      ledger.add(entry)
      if (route === "POST /v1/messages/count_tokens") {
        checkPrompt(dictionary(body, ""))
        entry.status = 200
        return sendJson(response, 200, { input_tokens: Math.ceil(size / 4) })
      }
      if (entry.method === "GET" && (path === "/v1/models" || path.startsWith("/v1/models/"))) {
        const models = (options.models ?? ["claude-opus-5-5", "claude-sonnet-5-5", "claude-haiku-5-5"]).map(modelInfo)
        const one = models.find((model) => path === `/v1/models/${model.id}`)
        if (one === undefined && path !== "/v1/models") {
          throw new Rejection(404, "not_found_error", `model: ${path.slice("/v1/models/".length)}`)
        }
        entry.status = 200
        const ends = { first_id: models[0]?.id ?? null, last_id: models.at(-1)?.id ?? null }
        return sendJson(response, 200, one ?? { data: models, has_more: false, ...ends })
      }
      throw new Rejection(404, "not_found_error", "Not Found")
    } catch (error) {
      if (!(error instanceof Rejection)) throw error
      entry.status = error.status
      entry.error = error.message
      rejected.push(entry)
      if (!ledger.entries.includes(entry)) ledger.add(entry)
      sendJson(response, error.status, errorBody(error, id), { "x-should-retry": "false" })
    }
  }

  const answer = async (call: ModelRequest, response: ServerResponse, gone: AbortSignal, id: string) => {
    const scripted = script.next(call.body)
    const context = { index: requests.indexOf(call), gone }
    const reply: Reply = typeof scripted === "function" ? await scripted(call.body, context) : scripted
    if ("hang" in reply) return untilGone(gone)
    await pause(reply.delayMs ?? 0, gone)
    if (gone.aborted) return
    if ("drop" in reply) {
      response.destroy()
      return
    }
    if ("error" in reply) {
      call.status = reply.status
      call.error = reply.error.message
      return sendJson(response, reply.status, errorBody(reply.error, id), reply.headers)
    }
    call.status = "raw" in reply ? (reply.status ?? 200) : 200
    if ("raw" in reply) {
      const text = typeof reply.raw === "string" ? reply.raw : JSON.stringify(reply.raw)
      return sendText(response, call.status, text, { "content-type": "application/json", ...reply.headers })
    }
    const message = completeMessage(reply, call.body, call.cacheRead)
    for (const block of message.content) if (block.type === "thinking") thoughts.set(block.signature, block.thinking)
    if (call.body.stream === true) return stream(reply, message, response, gone)
    sendJson(response, 200, message)
  }

  const server = serverOf(handle)
  const address = await listen(server, options)
  return {
    ...address,
    requests,
    rejected,
    ledger: ledger.entries,
    enqueue: (...replies) => script.enqueue(replies),
    script: (match, ...replies) => script.bind(match, replies),
    setDefault: (reply) => script.setDefault(reply),
    pending: () => script.pending(),
    waitFor: (find, timeoutMs) => ledger.waitFor(() => find(requests), timeoutMs),
    waitForRequest: (n, timeoutMs) => ledger.waitFor(() => requests[n - 1], timeoutMs),
    reset,
    close: () => closeServer(server)
  }
}

/** The emulator as a resource of a scope. */
export const scoped = (options: AnthropicOptions = {}): Effect.Effect<AnthropicEmulator, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.promise(() => start(options)),
    (emulator) => Effect.promise(() => emulator.close())
  )

const parse = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

if (import.meta.main) {
  const { values } = parseArgs({ options: { port: { type: "string", default: "9801" }, host: { type: "string" } } })
  const emulator = await start({
    port: Number(values.port),
    ...(values.host === undefined ? {} : { host: values.host })
  })
  runAsProcess(`Anthropic emulator on ${emulator.url}`, emulator.close)
}
