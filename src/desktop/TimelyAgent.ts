import http from "node:http"
import https from "node:https"
import type { Duplex } from "node:stream"
import type * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"

/** The request was not sent: what it asks for may not be wanted any more. */
export class TooLate extends Error {
  constructor() {
    super("the connection came too late, and nothing was sent")
  }
}

type Connected = (error: Error | null, socket: Duplex) => void

/** Hands a connection to its request once it is open, if that is before `until`. */
const whenConnected = (socket: Duplex, event: string, until: number, connected: Connected): undefined => {
  const failed = (error: Error) => connected(error, socket)
  socket.once("error", failed)
  socket.once(event, () => {
    socket.off("error", failed)
    if (Date.now() < until) return connected(null, socket)
    socket.destroy()
    connected(new TooLate(), socket)
  })
}

/** The agent, whose connections are handed over in time only; `event` says when one is ready. */
const timely = <A extends http.Agent>(agent: A, event: string, until: number): A => {
  const connect = agent.createConnection.bind(agent)
  agent.createConnection = (options, connected: Connected) => {
    const socket = connect(options)
    if (socket) whenConnected(socket, event, until, connected)
    return undefined
  }
  return agent
}

/**
 * Agents whose requests leave before `until` (UTC, ms), or never. A process that is frozen while it connects would otherwise
 * send its request whenever it wakes.
 */
export const timelyAgent = (until: number): NodeHttpClient.HttpAgent["Service"] => ({
  http: timely(new http.Agent(), "connect", until),
  https: timely(new https.Agent(), "secureConnect", until)
})
