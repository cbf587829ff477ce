import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http"
import { setTimeout as sleep } from "node:timers/promises"

/** Plumbing shared by the emulators: a node:http server, its bodies and its end. */

export interface ListenOptions {
  /** 0 (the default) takes a free port. */
  readonly port?: number
  /** Default 127.0.0.1. */
  readonly host?: string
}

export const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/** Creates the server; a handler that fails answers 500, so that a mistake in an emulator is seen and not hung on. */
export const serverOf = (handle: (request: IncomingMessage, response: ServerResponse) => Promise<void>): Server =>
  createServer((request, response) => {
    handle(request, response).catch((error: unknown) => {
      const message = error instanceof Error ? (error.stack ?? error.message) : String(error)
      if (response.headersSent) response.destroy()
      else sendJson(response, 500, { emulator: message })
    })
  })

/** Starts listening; the address to call. */
export const listen = (server: Server, options: ListenOptions): Promise<{ url: string; port: number }> =>
  new Promise((resolve, reject) => {
    const host = options.host ?? "127.0.0.1"
    server.once("error", reject)
    server.listen(options.port ?? 0, host, () => {
      const address = server.address()
      if (address === null || typeof address === "string") return reject(new Error("no TCP address"))
      resolve({ url: `http://${host.includes(":") ? `[${host}]` : host}:${address.port}`, port: address.port })
    })
  })

/** Stops listening and cuts every connection. */
export const closeServer = (server: Server): Promise<void> =>
  new Promise((resolve) => {
    server.close(() => resolve())
    server.closeAllConnections()
  })

/** The whole body; what lies beyond `limit` bytes is read, so that the client can finish, and thrown away. */
export const readBody = async (request: IncomingMessage, limit: number): Promise<{ bytes: Buffer; size: number }> => {
  const chunks: Array<Buffer> = []
  let size = 0
  for await (const chunk of request) {
    size += chunk.length
    if (size <= limit) chunks.push(chunk)
    else chunks.length = 0
  }
  return { bytes: Buffer.concat(chunks), size }
}

export const sendJson = (
  response: ServerResponse,
  status: number,
  body: unknown,
  headers: Readonly<Record<string, string>> = {}
): void => sendText(response, status, JSON.stringify(body), { "content-type": "application/json", ...headers })

export const sendText = (
  response: ServerResponse,
  status: number,
  body: string,
  headers: Readonly<Record<string, string>> = {}
): void => {
  response.writeHead(status, { ...headers, "content-length": Buffer.byteLength(body) })
  response.end(body)
}

/** Request headers as plain strings. */
export const headersOf = (request: IncomingMessage): Record<string, string> =>
  Object.fromEntries(Object.entries(request.headers).map(([name, value]) => [name, String(value)]))

/** Waits `ms`, or less when the client goes away. */
export const pause = async (ms: number, gone: AbortSignal): Promise<void> => {
  if (ms > 0 && !gone.aborted) await sleep(ms, undefined, { signal: gone }).catch(() => undefined)
}

/** Resolves when the client is gone. */
export const untilGone = (gone: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (gone.aborted) resolve()
    else gone.addEventListener("abort", () => resolve(), { once: true })
  })

/** For emulators run as their own process: prints the line, ends at SIGINT and SIGTERM. */
export const runAsProcess = (line: string, close: () => Promise<void>): void => {
  process.stdout.write(`${line}\n`)
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.once(signal, () => {
      close().then(() => process.exit(0))
    })
  }
}

/** What `--help` prints: what the emulator is, and its flags with what they mean. */
export const printUsage = (title: string, defaultPort: number, more: Readonly<Record<string, string>> = {}): void => {
  const flags = {
    "--port": `port to listen on (${defaultPort}; 0: a free one)`,
    "--host": "address to listen on (127.0.0.1)",
    ...more
  }
  const lines = Object.entries(flags).map(([flag, meaning]) => `  ${flag.padEnd(12)} ${meaning}`)
  process.stdout.write(
    `${[title, "", ...lines, "", "GET /__ledger shows the requests so far; POST /__script sets what comes next."].join("\n")}\n`
  )
}
