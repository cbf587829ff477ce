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

/** Hands a connection to its request when it stands, and only as long as there is time. */
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

class TimelyHttpAgent extends http.Agent {
  private readonly until: number

  constructor(until: number) {
    super()
    this.until = until
  }

  override createConnection(options: http.ClientRequestArgs, connected: Connected): undefined {
    const socket = super.createConnection(options)
    if (socket) whenConnected(socket, "connect", this.until, connected)
  }
}

class TimelyHttpsAgent extends https.Agent {
  private readonly until: number

  constructor(until: number) {
    super()
    this.until = until
  }

  override createConnection(options: https.RequestOptions, connected: Connected): undefined {
    const socket = super.createConnection(options)
    if (socket) whenConnected(socket, "secureConnect", this.until, connected)
  }
}

/**
 * Agents whose requests leave before `until` (UTC, ms), or never. A process that is frozen while it connects would otherwise
 * send its request whenever it wakes.
 */
export const timelyAgent = (until: number): NodeHttpClient.HttpAgent["Service"] => ({
  http: new TimelyHttpAgent(until),
  https: new TimelyHttpsAgent(until)
})
