import type { IncomingMessage } from "node:http"
import type { Duplex } from "node:stream"
import { Effect, Option } from "effect"
import type { Socket as EngineSocket } from "engine.io"
import { Settings } from "../config/Settings.ts"
import { AddressConnections } from "./AddressConnections.ts"
import { clientAddress, limitKey } from "./ClientAddress.ts"
import { type Arriving, refuseFrame, UnfinishedFrames } from "./UnfinishedFrames.ts"

/** Bytes of a packet, or of a POST with packets, before the connection has entered the namespace. */
const largestUnknown = 64 * 1024

/** Bytes of the largest packet afterwards; Engine.IO's own limit is a little lower. */
const largestKnown = 1024 * 1024

export const tooMany = "This address has too many connections and streams open"

/** What bounds Engine.IO connections from their first byte on, before Socket.IO knows of them. */
export const engineLimits = Effect.gen(function* () {
  const addresses = yield* AddressConnections
  const frames = yield* UnfinishedFrames
  const { proxies } = yield* Settings
  /** Of WebSockets that begin a session, until it exists. */
  const beginning = new WeakMap<Duplex, Arriving>()
  const sessions = new Map<string, Session>()

  const keyOf = ({ headers, socket }: IncomingMessage): string => {
    const forwarded = headers["x-forwarded-for"]
    return limitKey(
      clientAddress(
        proxies,
        Option.fromNullishOr(socket.remoteAddress),
        typeof forwarded === "string" ? forwarded : forwarded?.join(",")
      )
    )
  }

  return {
    keyOf,
    /** Whether the request belongs to an open connection, or its address has room for a new one. */
    mayOpen: (request: IncomingMessage): boolean => sessionOf(request) !== null || addresses.hasRoom(keyOf(request)),
    /** Counts what arrives on a WebSocket. */
    limitFrames: (request: IncomingMessage, socket: Duplex): void => {
      const session = sessions.get(sessionOf(request) ?? "")
      const arriving = frames.watch(socket, limitOf(session), () => refuseFrame(socket))
      if (session === undefined) beginning.set(socket, arriving)
      else session.arriving = arriving
    },
    /** Counts what arrives of a polling client's body. */
    limitBody: (request: IncomingMessage): void => {
      if (request.method !== "POST") return
      frames.watch(request, limitOf(sessions.get(sessionOf(request) ?? "")), () => request.destroy())
    },
    /** Counts a connection until it closes. */
    follow: (connection: EngineSocket): void => {
      const remove = addresses.add(keyOf(connection.request))
      const session: Session = { isKnown: false, arriving: beginning.get(connection.request.socket) }
      sessions.set(idOf(connection), session)
      connection.on("packet", () => session.arriving?.finished())
      connection.once("close", () => {
        sessions.delete(idOf(connection))
        remove()
      })
    },
    /** The connection has entered the namespace: larger packets are taken. */
    known: (connection: EngineSocket): void => {
      const session = sessions.get(idOf(connection))
      if (session === undefined) return
      session.isKnown = true
      session.arriving?.allow(largestKnown)
    }
  }
})

/** What is known of an Engine.IO connection. */
interface Session {
  isKnown: boolean
  /** Of its WebSocket, if it has one. */
  arriving: Arriving | undefined
}

const limitOf = (session: Session | undefined): number => (session?.isKnown ? largestKnown : largestUnknown)

/** Private in the types, but it is what requests name in `sid`. */
const idOf = (connection: EngineSocket): string => String(Reflect.get(connection, "id"))

/** The Engine.IO session that a request goes on with. */
const sessionOf = ({ url = "" }: IncomingMessage): string | null =>
  new URL(url, "http://localhost").searchParams.get("sid")
