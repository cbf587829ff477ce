import { connect } from "node:net"
import { Effect } from "effect"

/** A connection of Engine.IO's that has not said who it is. */
export interface EngineClient {
  /** Sends bytes as they are. */
  readonly write: (bytes: Buffer | string) => void
  /** Whether the service has closed the connection, or sent its close frame. */
  readonly isClosed: () => boolean
}

/** A text frame of a client (RFC 6455, section 5.2), whose header promises `size` bytes and whose body holds `text`. */
export const frame = (text: string, size = text.length, { isBinary = false } = {}): Buffer => {
  const header = Buffer.alloc(14)
  header[0] = isBinary ? 0x82 : 0x81
  header[1] = 0x80 | 127
  header.writeBigUInt64BE(BigInt(size), 2)
  // A mask of zeros leaves the text as it is.
  return Buffer.concat([header, Buffer.from(text, "latin1")])
}

/** Opens a WebSocket at the path by hand, so that half a frame can be sent on it; waits until it is upgraded or refused. */
export const rawWebSocket = (url: string, path: string) =>
  Effect.acquireRelease(
    Effect.callback<EngineClient & { readonly status: string; readonly close: () => void }>((resume) => {
      const { hostname, port } = new URL(url)
      let isClosed = false
      const socket = connect(Number(port), hostname, () => {
        socket.write(
          `GET ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`
        )
      })
      const client = {
        write: (bytes: Buffer | string) => void socket.write(bytes),
        isClosed: () => isClosed,
        close: () => void socket.destroy()
      }
      socket.on("error", () => undefined)
      socket.on("close", () => {
        isClosed = true
        resume(Effect.succeed({ ...client, status: "" }))
      })
      // The service waits for the answer to its close frame, which this client never sends.
      socket.on("data", (bytes) => {
        if (bytes[0] === 0x88) isClosed = true
      })
      socket.once("data", (bytes) =>
        resume(Effect.succeed({ ...client, status: String(bytes).split("\r\n", 1)[0]?.split(" ")[1] ?? "" }))
      )
    }),
    ({ close }) => Effect.sync(close)
  )

export const engineSocket = (url: string) => rawWebSocket(url, "/socket.io/?EIO=4&transport=websocket")
