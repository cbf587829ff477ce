import type { IncomingMessage, ServerResponse } from "node:http"
import { parseArgs } from "node:util"
import * as Effect from "effect/Effect"
import {
  closeServer,
  headersOf,
  isRecord,
  type ListenOptions,
  listen,
  pause,
  printUsage,
  readBody,
  runAsProcess,
  sendJson,
  sendText,
  serverOf,
  untilGone
} from "./httpServer.ts"
import { Ledger } from "./ledger.ts"
import { type ErrorBody, identifier, type MessageReply, type Reply, type Scripted } from "./modelReplies.ts"
import { type Match, Script } from "./modelScript.ts"
import { Rejection } from "./rejection.ts"

/**
 * What the emulators of the models' providers have in common: a server that refuses what the real one refuses (before a
 * scripted reply is used up), answers what the test scripted and tells what it saw. A dialect says how a provider speaks.
 */

/** One HTTP request. Times are ms since the emulator started. */
export interface LedgerEntry {
  readonly t: number
  readonly method: string
  /** Path with query. */
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
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
export interface ModelRequest<Body, CacheRead> extends LedgerEntry {
  readonly body: Body
  /** What the provider's prompt cache had of the prompt. */
  readonly cacheRead: CacheRead
}

/** What a request that passed validation asks for: the model, or something that is answered at once. */
export type Understood<Body, CacheRead> =
  | { readonly call: Body; readonly cacheRead: CacheRead }
  | { readonly answer: unknown }

/** How one provider speaks. What throws, throws a Rejection. */
export interface Dialect<Body, CacheRead> {
  readonly maxBodyBytes: number
  /** The key that a request brings. */
  readonly keyOf: (headers: Readonly<Record<string, string>>, url: string) => string | null
  /** Headers that carry the key, which GET /__ledger does not show. */
  readonly secretHeaders: ReadonlyArray<string>
  /** Headers of every answer. */
  readonly answerHeaders: (requestId: string) => Readonly<Record<string, string>>
  /** Throws where the key or another header is not what the API wants; `key` is the only one accepted, if set. */
  readonly authenticate: (entry: LedgerEntry, key: string | undefined) => void
  readonly tooLarge: Rejection
  readonly notJson: Rejection
  /** Validates a request; `path` is its URL without the query. */
  readonly understand: (entry: LedgerEntry, path: string) => Understood<Body, CacheRead>
  /** All text of the first user message. */
  readonly firstUserText: (body: Body) => string
  /** Whether the request offers the model this tool. */
  readonly offers: (body: Body, tool: string) => boolean
  /** Sends a scripted answer of the model as a whole, or as a stream where the request wants that. */
  readonly send: (
    reply: MessageReply,
    call: ModelRequest<Body, CacheRead>,
    response: ServerResponse,
    gone: AbortSignal
  ) => void | Promise<void>
  readonly errorBody: (error: ErrorBody, status: number, requestId: string) => unknown
  /** Forgets caches and everything else that earlier requests left. */
  readonly reset: () => void
}

export interface ModelEmulatorOptions<Body> extends ListenOptions {
  /** The one key that is accepted; default: any. */
  readonly apiKey?: string
  /** Used when no script has a reply left; default: set_task_status completed. */
  readonly defaultReply?: Scripted<Body>
  /** Other models are answered with the API's "not found"; default: every model exists. */
  readonly models?: ReadonlyArray<string>
  /** Default: the API's own limit. */
  readonly maxBodyBytes?: number
}

export interface ModelEmulator<Body, CacheRead> {
  /** Base URL without the API's version. */
  readonly url: string
  readonly port: number
  /** Model calls that passed validation, oldest first. */
  readonly requests: ReadonlyArray<ModelRequest<Body, CacheRead>>
  /** Requests answered with a 4xx by validation: a test of a correct client finds this empty. */
  readonly rejected: ReadonlyArray<LedgerEntry>
  /** Everything received. */
  readonly ledger: ReadonlyArray<LedgerEntry>
  /** Adds replies for any conversation. */
  readonly enqueue: (...replies: ReadonlyArray<Scripted<Body>>) => void
  /** Adds replies for the conversations that match; they come before those of `enqueue`. */
  readonly script: (match: Match<Body>, ...replies: ReadonlyArray<Scripted<Body>>) => void
  readonly setDefault: (reply: Scripted<Body>) => void
  /** Scripted replies not used yet. */
  readonly pending: () => number
  /** Waits until `find` finds something in `requests`; rejects after `timeoutMs` (20000). */
  readonly waitFor: <A>(
    find: (requests: ReadonlyArray<ModelRequest<Body, CacheRead>>) => A | undefined | false,
    timeoutMs?: number
  ) => Promise<A>
  /** Waits for the n-th model call (1 = the first ever). */
  readonly waitForRequest: (n: number, timeoutMs?: number) => Promise<ModelRequest<Body, CacheRead>>
  /** Forgets ledger, scripts, default and prompt cache. */
  readonly reset: () => void
  readonly close: () => Promise<void>
}

/** The largest number of these requests that were open at the same time. */
export const maxOpen = (requests: ReadonlyArray<LedgerEntry>): number =>
  Math.max(
    0,
    ...requests.map(
      (one) =>
        requests.filter(
          (other) => other === one || (other.t <= one.t && (other.endedAt === null || other.endedAt > one.t))
        ).length
    )
  )

const startEmulator = async <Body, CacheRead>(
  dialect: Dialect<Body, CacheRead>,
  options: ModelEmulatorOptions<Body>
): Promise<ModelEmulator<Body, CacheRead>> => {
  const ledger = new Ledger<LedgerEntry>()
  const requests: Array<ModelRequest<Body, CacheRead>> = []
  const rejected: Array<LedgerEntry> = []
  const script = new Script(dialect.firstUserText, options.defaultReply)

  const reset = () => {
    for (const list of [requests, rejected]) list.length = 0
    ledger.clear()
    script.reset()
    dialect.reset()
  }

  const masked = (entry: LedgerEntry) => {
    const { apiKey } = entry
    const shown = Object.entries(entry.headers).filter(([name]) => !dialect.secretHeaders.includes(name))
    const url = apiKey === null || apiKey === "" ? entry.url : entry.url.replaceAll(apiKey, "…")
    return { ...entry, url, headers: Object.fromEntries(shown), apiKey: apiKey === null ? null : "…" }
  }

  const control = (method: string, body: unknown, response: ServerResponse): void => {
    if (method === "GET") sendJson(response, 200, { requests: requests.map(masked), rejected: rejected.map(masked) })
    else {
      if (method === "DELETE" || (isRecord(body) && body.reset === true)) reset()
      const taken = method === "DELETE" || script.load(body)
      sendJson(response, taken ? 200 : 400, taken ? { pending: script.pending() } : { error: "not a script" })
    }
  }

  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const t = ledger.elapsed()
    const url = request.url ?? "/"
    const limit = options.maxBodyBytes ?? dialect.maxBodyBytes
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
      apiKey: dialect.keyOf(headers, url),
      body,
      aborted: false,
      status: null,
      error: null,
      endedAt: null
    }
    const gone = ledger.follow(entry, response)
    const id = identifier("req")
    for (const [name, value] of Object.entries(dialect.answerHeaders(id))) response.setHeader(name, value)

    try {
      dialect.authenticate(entry, options.apiKey)
      if (size > limit) throw dialect.tooLarge
      if (entry.method === "POST" && typeof body === "string") throw dialect.notJson
      const understood = dialect.understand(entry, path)
      if ("call" in understood) {
        const call = Object.assign(entry, { body: understood.call, cacheRead: understood.cacheRead })
        requests.push(call)
        ledger.add(call)
        return await answer(call, response, gone, id)
      }
      ledger.add(entry)
      entry.status = 200
      sendJson(response, 200, understood.answer)
    } catch (error) {
      if (!(error instanceof Rejection)) throw error
      entry.status = error.status
      entry.error = error.message
      rejected.push(entry)
      ledger.add(entry)
      sendJson(response, error.status, dialect.errorBody(error.body, error.status, id), { "x-should-retry": "false" })
    }
  }

  const answer = async (
    call: ModelRequest<Body, CacheRead>,
    response: ServerResponse,
    gone: AbortSignal,
    id: string
  ) => {
    const scripted = script.next(call.body)
    const offers = (tool: string) => dialect.offers(call.body, tool)
    const context = { index: requests.indexOf(call), gone, offers }
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
      return sendJson(response, reply.status, dialect.errorBody(reply.error, reply.status, id), reply.headers)
    }
    call.status = "raw" in reply ? (reply.status ?? 200) : 200
    if ("raw" in reply) {
      const text = typeof reply.raw === "string" ? reply.raw : JSON.stringify(reply.raw)
      return sendText(response, call.status, text, { "content-type": "application/json", ...reply.headers })
    }
    return dialect.send(reply, call, response, gone)
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

/** A provider's emulators: on a free port of 127.0.0.1, or where the options say; `scoped` is one as a resource of a scope. */
export const provider = <Body, CacheRead, Options extends ModelEmulatorOptions<Body>>(
  dialect: (options: Options | Record<string, never>) => Dialect<Body, CacheRead>
) => {
  const start = (options: Options | Record<string, never> = {}): Promise<ModelEmulator<Body, CacheRead>> =>
    startEmulator<Body, CacheRead>(dialect(options), options)
  const scoped = (options: Options | Record<string, never> = {}) =>
    Effect.acquireRelease(
      Effect.promise(() => start(options)),
      (emulator) => Effect.promise(() => emulator.close())
    )
  return { start, scoped }
}

/** Runs an emulator as a process of its own, where --port and --host say. */
export const runEmulator = async (
  name: string,
  defaultPort: number,
  start: (options: ListenOptions) => Promise<{ readonly url: string; readonly close: () => Promise<void> }>
): Promise<void> => {
  const { values } = parseArgs({
    options: {
      port: { type: "string", default: String(defaultPort) },
      host: { type: "string" },
      help: { type: "boolean", short: "h", default: false }
    }
  })
  if (values.help) return printUsage(`${name} emulator: answers as the provider's API does`, defaultPort)
  const emulator = await start({
    port: Number(values.port),
    ...(values.host === undefined ? {} : { host: values.host })
  })
  runAsProcess(`${name} emulator on ${emulator.url}`, emulator.close)
}

const parse = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}
