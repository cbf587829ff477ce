import { Option, Predicate, Schema } from "effect"
import { Headers } from "effect/http"
import type { DefaultEventsMap, Server, Socket } from "socket.io"
import { type CallerIdentity, everybody } from "../domain/Caller.ts"

/** What is remembered of a socket, also of a lost one. */
interface SocketData {
  caller: CallerIdentity
}

export type Gateway = Server<DefaultEventsMap, DefaultEventsMap, DefaultEventsMap, SocketData>
export type ClientSocket = Socket<DefaultEventsMap, DefaultEventsMap, DefaultEventsMap, SocketData>

const decodeData = Schema.decodeUnknownOption(
  Schema.Struct({
    caller: Schema.Struct({
      userId: Schema.NullOr(Schema.String),
      seesAll: Schema.Boolean,
      login: Schema.NullOr(Schema.Struct({ id: Schema.String, kind: Schema.Literals(["session", "key"]) }))
    })
  })
)

/** The caller in the data of a socket, which Socket.IO's types leave open. */
export const callerOf = (data: unknown): CallerIdentity =>
  Option.match(decodeData(data), { onNone: () => everybody, onSome: ({ caller }) => caller })

const decodeToken = Schema.decodeUnknownOption(Schema.Struct({ token: Schema.NonEmptyString }))

/** Browsers can't set headers on a WebSocket: `auth: { token }` of the handshake stands for a bearer token. */
export const handshakeHeaders = ({ handshake }: ClientSocket): Headers.Headers =>
  Option.match(decodeToken(handshake.auth), {
    onNone: () => Headers.fromInput(handshake.headers),
    onSome: ({ token }) => Headers.fromInput({ ...handshake.headers, authorization: `Bearer ${token}` })
  })

const asksForRecovery = Schema.is(Schema.Struct({ recovery: Schema.Literal(true) }))

/**
 * Browsers, and clients that ask: others would take the offset for an argument of the event. Python's websocket-client sends an Origin, too, but
 * no User-Agent; that of every browser begins with Mozilla (https://developer.mozilla.org/docs/Web/HTTP/Reference/Headers/User-Agent).
 */
export const canRecover = ({ handshake: { auth, headers } }: ClientSocket): boolean =>
  (headers.origin !== undefined && headers["user-agent"]?.startsWith("Mozilla/") === true) || asksForRecovery(auth)

/** Most messages of one client in a window, and the window's length in ms: a dashboard that joins all its tasks at once stays below. */
const rate = { most: 2_000, window: 10_000 }

/** Most that may wait in memory for one client, in characters: more than is kept for recovery, so that a lost client can take all of that. */
const longestBacklog = 64 * 1024 * 1024

/** Disconnects a client that sends too much. */
export const limitMessages = (socket: ClientSocket): void => {
  let begun = performance.now()
  let count = 0
  socket.onAny(() => {
    if (performance.now() - begun > rate.window) {
      begun = performance.now()
      count = 0
    }
    count += 1
    if (count > rate.most) socket.disconnect(true)
  })
}

/** Called for each packet to each client, hence without a Schema. */
const textLength = (packet: unknown): number =>
  Predicate.hasProperty(packet, "data") && typeof packet.data === "string" ? packet.data.length : 0

/** Measures what waits for a client, in characters; `grew` is told each time that it becomes more. */
export const backlogOf = ({ conn }: ClientSocket, grew: (backlog: number) => void = () => {}): (() => number) => {
  let backlog = 0
  conn.on("flush", () => {
    backlog = 0
  })
  conn.on("packetCreate", (packet: unknown) => {
    backlog += textLength(packet)
    grew(backlog)
  })
  return () => backlog
}

/** Disconnects a client that takes events too slowly; it connects again and gets what it missed. */
export const limitBacklog = (socket: ClientSocket): void => {
  backlogOf(socket, (backlog) => {
    if (backlog > longestBacklog) socket.conn.close(true)
  })
}
