import type { IncomingMessage, ServerResponse } from "node:http"
import { parseArgs } from "node:util"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { Server as SocketServer } from "socket.io"
import { type Action, ActionFailed, durationOf, isAction, Machine } from "./desktopActions.ts"
import { actionName, type DesktopRequest, type Fault, Faults } from "./desktopFaults.ts"
import type { DesktopFiles, ReadAnswer } from "./desktopFiles.ts"
import { OwnActions } from "./desktopTracking.ts"
import { problemsWith } from "./desktopValidation.ts"
import {
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
import { decodePng, type Picture } from "./png.ts"
import type { Alpha, Point } from "./screen.ts"

/** The desktop daemon bytebotd on the wire, with the answers recorded from the real one (docs/contract/desktop.md). */

export interface SocketConnection {
  readonly t: number
  readonly id: string
  /** "websocket" or "polling"; what it is now. */
  transport: string
  /** ms since start, null while it is open. */
  closedAt: number | null
  reason: string | null
}

export interface DesktopOptions extends ListenOptions {
  /** Without the real daemon's delays; default true. */
  readonly instant?: boolean
  /** Base64 PNG that every screenshot shows, instead of the drawn screen. */
  readonly screenshot?: string
  /** Of the drawn screen; default 255. The real daemon's is mostly 0 (docs/contract/desktop.md). */
  readonly alpha?: Alpha
  /** What cursor_position always answers. */
  readonly cursor?: Point
  /** What read_file always answers, whatever was written. */
  readonly readFile?: (path: string) => ReadAnswer
  /** While tracking, report what the daemon itself did, as the real one does; default true. */
  readonly reportOwnActions?: boolean
  /** Carry out requests with the same Idempotency-Key once, repeating the first answer; default false. */
  readonly deduplicate?: boolean
}

export interface UserActionOptions {
  /** `action` even for clicks and drags, as before the first resting screenshot. */
  readonly plain?: boolean
}

export interface DesktopEmulator {
  readonly url: string
  readonly port: number
  /** Everything received over HTTP, oldest first. */
  readonly requests: ReadonlyArray<DesktopRequest>
  /** Names of the actions received ("screenshot", …), oldest first. */
  readonly actions: () => ReadonlyArray<string>
  /** Bodies of the actions carried out, in order. */
  readonly executed: ReadonlyArray<Action>
  readonly sockets: ReadonlyArray<SocketConnection>
  readonly tracking: () => boolean
  readonly files: DesktopFiles
  /** What was typed and pasted so far. */
  readonly typed: () => string
  readonly picture: () => Picture
  readonly fault: (fault: Fault) => void
  /** Holds the next matching request until the returned function is called; then it is served as usual. */
  readonly hold: (match?: Fault["match"]) => () => void
  /** Sends any event, as a hostile daemon may. */
  readonly emit: (event: string, ...args: ReadonlyArray<unknown>) => void
  /**
   * A person's input: click_mouse and drag_mouse go out as `screenshotAndAction`, the rest as `action`. False, and
   * nothing sent, while tracking is off.
   */
  readonly emitUserAction: (action: Action, options?: UserActionOptions) => boolean
  /** Waits until `find` finds something; rejects after `timeoutMs` (20000). */
  readonly waitFor: <A>(
    find: (requests: ReadonlyArray<DesktopRequest>) => A | undefined | false,
    timeoutMs?: number
  ) => Promise<A>
  /** Waits for the n-th request (default the first) with this action, or method and path. */
  readonly waitForRequest: (match: string, n?: number, timeoutMs?: number) => Promise<DesktopRequest>
  /** Waits for an open Socket.IO connection. */
  readonly waitForSocket: (timeoutMs?: number) => Promise<SocketConnection>
  /** Forgets requests, faults, files and the screen; connections and tracking stay. */
  readonly reset: () => void
  readonly close: () => Promise<void>
}

interface Answer {
  readonly status: number
  /** Undefined: an empty body. */
  readonly body: unknown
}

const notFound = (message: string): Answer => ({ status: 404, body: { message, error: "Not Found", statusCode: 404 } })
const badRequest = (message: unknown): Answer => ({
  status: 400,
  body: { message, error: "Bad Request", statusCode: 400 }
})
const maxBody = 50 * 1024 * 1024
const cors = { "access-control-allow-origin": "*", "access-control-allow-credentials": "true" }

/** Starts an emulator on a free port of 127.0.0.1, or where `options` say. */
export const start = async (options: DesktopOptions = {}): Promise<DesktopEmulator> => {
  const ledger = new Ledger<DesktopRequest>()
  const executed: Array<Action> = []
  const sockets: Array<SocketConnection> = []
  const faults = new Faults()
  const answered = new Map<string, Answer>()
  const own = new OwnActions()
  const closing = new AbortController()
  let machine = new Machine(options)
  let tracking = false
  let rested = false

  const emit = (action: Action, pictured: boolean): void => {
    if (pictured) io.emit("screenshotAndAction", { image: machine.screenshot() }, action)
    else io.emit("action", action)
  }

  const report = (action: Action): void => {
    if (!tracking) return
    if (options.reportOwnActions !== false) {
      for (const event of own.eventsOf(action, machine.screen.cursor)) emit(event.action, event.pictured && rested)
    }
    rested ||= action.action === "move_mouse" || action.action === "click_mouse"
  }

  const perform = (request: DesktopRequest): Answer => {
    const { body } = request
    if (request.req.startsWith("POST /input-tracking/")) {
      const doing = request.req.slice("POST /input-tracking/".length)
      if (doing !== "start" && doing !== "stop") return notFound(`Cannot ${request.req}`)
      tracking = doing === "start"
      return { status: 201, body: { status: tracking ? "started" : "stopped" } }
    }
    if (request.req !== "POST /computer-use") return notFound(`Cannot ${request.req}`)
    const isJson = request.headers["content-type"]?.startsWith("application/json") === true
    if (isJson && typeof body === "string") return badRequest("Unexpected end of JSON input")
    const problems = problemsWith(isJson ? body : {})
    if (problems !== undefined || !isAction(body)) return badRequest(problems)
    try {
      const result = machine.execute(body)
      request.executed = true
      executed.push(body)
      report(body)
      return { status: 201, body: result }
    } catch (error) {
      if (!(error instanceof ActionFailed)) throw error
      return {
        status: 500,
        body: { statusCode: 500, message: `Failed to execute computer action: ${error.message}` }
      }
    }
  }

  const performOnce = (request: DesktopRequest): Answer => {
    const key = options.deduplicate === true ? request.idempotencyKey : null
    const before = key === null ? undefined : answered.get(key)
    const answer = before ?? perform(request)
    if (key !== null) answered.set(key, answer)
    return answer
  }

  const serve = async (request: DesktopRequest, response: ServerResponse, gone: AbortSignal): Promise<void> => {
    const fault = faults.next(request)
    const early = fault?.executed === true ? performOnce(request) : undefined
    await pause(fault?.delayMs ?? 0, closing.signal)
    await fault?.until
    if (fault?.drop === true) return void response.destroy()
    if (fault?.hang === true) return untilGone(gone)
    if (fault?.status !== undefined && fault.text !== undefined) {
      request.status = fault.status
      return sendText(response, fault.status, fault.text, {
        "content-type": "application/json; charset=utf-8",
        ...cors
      })
    }
    if (fault?.status !== undefined) {
      const body = fault.body ?? { statusCode: fault.status, message: "Internal server error" }
      return send(request, response, { status: fault.status, body })
    }
    if (options.instant === false && isAction(request.body)) {
      await pause(durationOf(request.body), closing.signal)
    }
    if (closing.signal.aborted) return
    send(request, response, early ?? performOnce(request))
  }

  const handle = async (incoming: IncomingMessage, response: ServerResponse): Promise<void> => {
    const t = ledger.elapsed()
    const path = (incoming.url ?? "/").split("?")[0] ?? "/"
    const { bytes } = await readBody(incoming, maxBody)
    const body = parse(bytes.toString("utf8"))
    if (path.startsWith("/__")) return control(incoming.method ?? "GET", body, response)
    if (incoming.method === "OPTIONS") return sendText(response, 204, "", cors)
    const headers = headersOf(incoming)
    const request: DesktopRequest = {
      t,
      req: `${incoming.method} ${path}`,
      body,
      headers,
      idempotencyKey: headers["idempotency-key"] ?? null,
      executed: false,
      status: null,
      aborted: false,
      endedAt: null
    }
    const gone = ledger.follow(request, response)
    ledger.add(request)
    await serve(request, response, gone)
  }

  const emitUserAction = (action: Action, { plain = false }: UserActionOptions = {}): boolean => {
    if (!tracking) return false
    machine.execute(action)
    emit(action, !plain && (action.action === "click_mouse" || action.action === "drag_mouse"))
    return true
  }

  const reset = (): void => {
    ledger.clear()
    executed.length = 0
    faults.clear()
    answered.clear()
    machine = new Machine(options)
  }

  /** POST /__script takes `{ faults?, userAction?, plain?, file?: { path, data }, reset? }`. */
  const control = (method: string, body: unknown, response: ServerResponse): void => {
    const script = isRecord(body) ? body : {}
    if (method === "DELETE" || script.reset === true) reset()
    if (method === "GET") sendJson(response, 200, { requests: ledger.entries, sockets, tracking })
    else {
      if (Array.isArray(script.faults)) for (const fault of script.faults) if (isRecord(fault)) faults.add(fault)
      if (isRecord(script.file)) machine.files.write(String(script.file.path), String(script.file.data))
      const sent = isAction(script.userAction) && emitUserAction(script.userAction, { plain: script.plain === true })
      sendJson(response, 200, { tracking, sent })
    }
  }

  const server = serverOf(handle)
  const io = new SocketServer(server, { cors: { origin: "*" }, serveClient: false })
  io.on("connection", (socket) => {
    const connection: SocketConnection = {
      t: ledger.elapsed(),
      id: socket.id,
      transport: socket.conn.transport.name,
      closedAt: null,
      reason: null
    }
    sockets.push(connection)
    socket.conn.on("upgrade", () => {
      connection.transport = socket.conn.transport.name
    })
    socket.on("disconnect", (reason) => {
      connection.closedAt = ledger.elapsed()
      connection.reason = reason
      ledger.changed()
    })
    ledger.changed()
  })
  const address = await listen(server, options)

  return {
    ...address,
    requests: ledger.entries,
    actions: () => ledger.entries.flatMap((request) => actionName(request) ?? []),
    executed,
    sockets,
    tracking: () => tracking,
    get files() {
      return machine.files
    },
    typed: () => machine.screen.typed,
    picture: () => decodePng(Buffer.from(machine.screenshot(), "base64")),
    fault: (fault) => faults.add(fault),
    hold: (match) => {
      const { promise, resolve } = Promise.withResolvers<void>()
      faults.add({ until: promise, ...(match === undefined ? {} : { match }) })
      return resolve
    },
    emit: (event, ...args) => io.emit(event, ...args),
    emitUserAction,
    waitFor: (find, timeoutMs) => ledger.waitFor(find, timeoutMs),
    waitForRequest: (match, n = 1, timeoutMs) =>
      ledger.waitFor(
        (requests) => requests.filter((request) => match === actionName(request) || match === request.req)[n - 1],
        timeoutMs
      ),
    waitForSocket: (timeoutMs) => ledger.waitFor(() => sockets.find(({ closedAt }) => closedAt === null), timeoutMs),
    reset,
    close: async () => {
      closing.abort()
      const closed = io.close()
      server.closeAllConnections()
      await closed
    }
  }
}

/** The emulator as a resource of a scope. */
export const scoped = (options: DesktopOptions = {}): Effect.Effect<DesktopEmulator, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.promise(() => start(options)),
    (emulator) => Effect.promise(() => emulator.close())
  )

const parse = (text: string): unknown => {
  if (text === "") return null
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

const send = (request: DesktopRequest, response: ServerResponse, { status, body }: Answer): void => {
  request.status = status
  if (body === undefined) sendText(response, status, "", cors)
  else sendJson(response, status, body, { "content-type": "application/json; charset=utf-8", ...cors })
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      port: { type: "string", default: "9802" },
      host: { type: "string" },
      realistic: { type: "boolean", default: false },
      help: { type: "boolean", short: "h", default: false }
    }
  })
  if (values.help) {
    printUsage("Desktop emulator: answers as Bytebot's desktop daemon does", 9802, {
      "--realistic": "actions and screenshots take the time that a real desktop needs"
    })
    process.exit(0)
  }
  const emulator = await start({
    port: Number(values.port),
    instant: !values.realistic,
    ...(values.host === undefined ? {} : { host: values.host })
  })
  runAsProcess(`Desktop emulator on ${emulator.url}`, emulator.close)
}
