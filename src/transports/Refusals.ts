import type { IncomingMessage, Server, ServerResponse } from "node:http"
import type { Duplex } from "node:stream"
import { Option, Schema } from "effect"

/** Refusals of requests that reach no route, with the error body of docs/contract/rest.md, "General". */

const titles = {
  400: "Bad Request",
  408: "Request Timeout",
  413: "Payload Too Large",
  417: "Expectation Failed",
  429: "Too Many Requests",
  431: "Request Header Fields Too Large",
  503: "Service Unavailable"
} as const

export type RefusalStatus = keyof typeof titles

const bodyOf = (statusCode: RefusalStatus, message: string): string =>
  JSON.stringify({ message, error: titles[statusCode], statusCode })

/** Refuses a request, and closes its connection. */
export const refuseRequest = (response: ServerResponse, status: RefusalStatus, message: string): void => {
  const retry = status === 503 || status === 429 ? { "retry-after": "1" } : {}
  response
    .writeHead(status, { "content-type": "application/json", connection: "close", ...retry })
    .end(bodyOf(status, message))
}

/** Refuses a malformed request or an upgrade, and closes the connection. */
export const refuseConnection = (socket: Duplex, status: RefusalStatus, message: string): void => {
  const body = bodyOf(status, message)
  const lines = [
    `HTTP/1.1 ${status} ${titles[status]}`,
    "Connection: close",
    "Content-Type: application/json",
    `Content-Length: ${Buffer.byteLength(body)}`,
    ...(status === 503 || status === 429 ? ["Retry-After: 1"] : [])
  ]
  socket.on("error", () => socket.destroy())
  socket.end(`${lines.join("\r\n")}\r\n\r\n${body}`, () => socket.destroy())
}

/** By code of Node's parser and timers; any other code means that the bytes are not HTTP. */
const malformed: { readonly [code: string]: readonly [RefusalStatus, string] | undefined } = {
  HPE_HEADER_OVERFLOW: [431, "The request's line and headers are too long"],
  HPE_CHUNK_EXTENSIONS_OVERFLOW: [413, "The body's chunk extensions are too long"],
  ERR_HTTP_REQUEST_TIMEOUT: [408, "The request took too long to arrive"]
}

const decodeCode = Schema.decodeUnknownOption(Schema.Struct({ code: Schema.String }))

/** Makes the server answer with an error body where Node sends none. */
export const refuseMalformed = (server: Server): void => {
  const answering = new WeakMap<Duplex, ServerResponse>()
  server.prependListener("request", (_request: IncomingMessage, response: ServerResponse) => {
    if (response.socket !== null) answering.set(response.socket, response)
  })
  server.on("checkExpectation", (_request, response) =>
    refuseRequest(response, 417, "The only expectation that is known is 100-continue")
  )
  server.on("connect", (_request, socket) => refuseConnection(socket, 400, "This is no proxy"))
  server.on("clientError", (error, socket) => {
    if (socket.writableEnded) return
    const current = answering.get(socket)
    const isInMiddleOfAnswer = current?.headersSent === true && !current.writableFinished
    if (!socket.writable || isInMiddleOfAnswer) return void socket.destroy()
    const code = Option.match(decodeCode(error), { onNone: () => "", onSome: (found) => found.code })
    const [status, message] = malformed[code] ?? [400, "The request is not valid HTTP"]
    refuseConnection(socket, status, message)
  })
}
