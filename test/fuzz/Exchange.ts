import { connect } from "node:net"
import { Effect, Option, Schema } from "effect"

/** What came back on a connection. */
export interface Exchange {
  readonly answers: ReadonlyArray<Answer>
  /** Whether an answer was due and did not come, or the service left the connection open. */
  readonly isStuck: boolean
}

export interface Answer {
  readonly status: number
  readonly headers: ReadonlyMap<string, string>
  readonly body: string
}

/** Long enough for any answer, so that a request which gets none is seen. */
const patience = 10_000

/** How long the client stays when the answer has begun: some have no end of their own. */
const lingering = 100

/** Whether the bytes are a request that states its length rightly: an answer is due. */
const isWhole = (bytes: string): boolean => {
  const end = bytes.indexOf("\r\n\r\n")
  const head = bytes.slice(0, end)
  if (end === -1 || /transfer-encoding|expect|upgrade/i.test(head)) return false
  const lengths = [...head.matchAll(/^content-length: (.*)$/gim)].map(([, length]) => Number(length))
  return lengths.length <= 1 && (lengths[0] ?? 0) === bytes.length - end - 4
}

/**
 * Sends the bytes (one character each) on a connection of their own and nothing after them; all that comes back. What is no whole
 * request is followed by the end of the connection, on which Node gives up what is still being worked on.
 */
export const exchange = (url: string, bytes: string): Effect.Effect<Exchange> =>
  Effect.callback((resume) => {
    const { hostname, port } = new URL(url)
    const chunks: Array<Buffer> = []
    const socket = connect({ host: hostname, port: Number(port) })
    let isStuck = false
    let leaving: NodeJS.Timeout | undefined
    const timer = setTimeout(() => {
      isStuck = true
      socket.destroy()
    }, patience)
    socket.on("data", (chunk) => {
      chunks.push(chunk)
      leaving ??= setTimeout(() => socket.end(), lingering)
    })
    // The service may close while we still send: that is its right.
    socket.on("error", () => undefined)
    socket.once("close", () => {
      clearTimeout(timer)
      clearTimeout(leaving)
      const isHead = bytes.startsWith("HEAD ")
      const answers = answersIn(Buffer.concat(chunks).toString("latin1"), isHead)
      resume(Effect.succeed({ answers, isStuck: isStuck || (answers.length === 0 && isWhole(bytes)) }))
    })
    socket.write(bytes, "latin1")
    if (!isWhole(bytes)) socket.end()
  })

/** The responses in the bytes; what is none becomes one with status 0. */
const answersIn = (received: string, isHead: boolean): ReadonlyArray<Answer> => {
  const answers: Array<Answer> = []
  let rest = received
  while (rest !== "") {
    const end = rest.indexOf("\r\n\r\n")
    const [first = "", ...lines] = rest.slice(0, end === -1 ? 0 : end).split("\r\n")
    const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(first)?.[1] ?? 0)
    const headers = new Map(
      lines.map((line) => [line.slice(0, line.indexOf(":")).toLowerCase(), line.slice(line.indexOf(":") + 1).trim()])
    )
    if (status === 0 || lines.some((line) => !/^[\w-]+: ?[^\r\n]*$/.test(line))) {
      return [...answers, { status: 0, headers, body: rest.slice(0, 300) }]
    }
    const after = rest.slice(end + 4)
    // A refusal of bytes that are no request can't know that they began with HEAD.
    const hasNoBody = (isHead && !after.startsWith("{")) || status < 200 || status === 204 || status === 304
    const [body, left] = hasNoBody ? ["", after] : bodyIn(after, headers)
    if (status >= 200) answers.push({ status, headers, body: Buffer.from(body, "latin1").toString("utf8") })
    rest = left
  }
  return answers
}

/** The body at the beginning of the bytes, and what comes after it. */
const bodyIn = (bytes: string, headers: ReadonlyMap<string, string>): readonly [string, string] => {
  const length = headers.get("content-length")
  if (length !== undefined) return [bytes.slice(0, Number(length)), bytes.slice(Number(length))]
  if (headers.get("transfer-encoding") !== "chunked") return [bytes, ""]
  let body = ""
  let rest = bytes
  for (;;) {
    const end = rest.indexOf("\r\n")
    const size = Number.parseInt(rest.slice(0, end), 16)
    body += rest.slice(end + 2, end + 2 + size)
    rest = rest.slice(end + 4 + size)
    if (!(size > 0)) return [body, rest]
  }
}

const named = { message: Schema.Union([Schema.String, Schema.Array(Schema.String)]), statusCode: Schema.Int }
const decodeErrorBody = Schema.decodeUnknownOption(Schema.fromJsonString(Schema.Struct(named)))
const decodeKeys = Schema.decodeUnknownOption(Schema.fromJsonString(Schema.Record(Schema.String, Schema.Json)))

/** Socket.IO's library has words of its own. */
const isEngineBody = (body: string) =>
  body === "" || Option.exists(decodeKeys(body), (fields) => "code" in fields && "message" in fields)

/** What is wrong with how the service took it; undefined when nothing is. */
export const problemOf = ({ answers, isStuck }: Exchange, bytes: string): string | undefined => {
  if (isStuck) return "there is no answer, or no end of the connection"
  for (const { body, headers, status } of answers) {
    if (status === 0) return `this is no response: ${JSON.stringify(body)}`
    if (status >= 500) return `${status} ${body}`
    if (status < 400 || bytes.startsWith("HEAD ")) continue
    if (/\/socket\.io/i.test(bytes.slice(0, 200)) && isEngineBody(body)) continue
    if (Option.isNone(decodeErrorBody(body))) return `${status} with the body ${JSON.stringify(body.slice(0, 300))}`
    if (headers.get("content-type")?.startsWith("application/json") !== true) return `${status} without a JSON type`
    const fields = Option.getOrElse(decodeKeys(body), () => ({}))
    const keys = Object.keys(fields).slice(0, 3).join()
    if (keys !== "message,error,statusCode" && !keys.startsWith("statusCode,message")) return `the keys are ${keys}`
    if (Object.entries(fields).some(([key, value]) => key === "statusCode" && value !== status)) return "another status"
  }
  return undefined
}
