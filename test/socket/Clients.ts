import { Effect } from "effect"
import { io, type ManagerOptions, type Socket, type SocketOptions } from "socket.io-client"
import { until } from "../support/Waiting.ts"

/** An event as a client's listener gets it: name and arguments, the second of which is the recovery's offset where the client asks for it. */
export type Received = readonly [event: string, ...args: ReadonlyArray<unknown>]

export interface Client {
  readonly socket: Socket
  /** Everything that came, oldest first. */
  readonly received: Array<Received>
}

/** A client that is not connected yet when this returns; it ends with the scope. */
export const client = (url: string, options: Partial<ManagerOptions & SocketOptions> = {}) =>
  Effect.acquireRelease(
    Effect.sync((): Client => {
      const socket = io(url, { forceNew: true, reconnectionDelay: 20, reconnectionDelayMax: 100, ...options })
      const received: Array<Received> = []
      socket.onAny((event: string, ...args: ReadonlyArray<unknown>) => received.push([event, ...args]))
      return { socket, received }
    }),
    ({ socket }) => Effect.sync(() => socket.disconnect())
  )

export const untilConnected = ({ socket }: Client) =>
  until(
    "connection",
    Effect.sync(() => (socket.connected ? true : undefined))
  )

export const connected = (url: string, options: Partial<ManagerOptions & SocketOptions> = {}) =>
  Effect.tap(client(url, options), untilConnected)

/** Sends with an acknowledgement and waits for it: the server has dealt with everything before. */
export const ask = ({ socket }: Client, event: string, ...args: ReadonlyArray<unknown>) =>
  Effect.promise((): Promise<unknown> => socket.timeout(5_000).emitWithAck(event, ...args))

/** The first arguments of what came, once there are `count` of it. */
export const payloads = ({ received }: Client, count: number) =>
  until(
    `${count} events`,
    Effect.sync(() => (received.length >= count ? received.map(([, payload]) => payload) : undefined))
  )
