import type { Duplex, Readable } from "node:stream"
import { Context, Layer } from "effect"

/** Bytes that all connections together may hold in frames and bodies that have not arrived whole: the largest frame, and some more. */
const budget = 64 * 1024 * 1024

/** Bytes of an unfinished frame below which it is not worth cutting off. */
const small = 64 * 1024

/** Milliseconds that a client gets to read why it is cut off. */
const farewell = 1_000

/** A connection, or a request with a body, and the frame on it that has not arrived whole. */
export interface Arriving {
  /** The frame has arrived whole: the next one begins. */
  readonly finished: () => void
  /** Sets the largest frame, in bytes. */
  readonly allow: (limit: number) => void
}

interface Frame {
  size: number
  limit: number
  readonly stream: Readable
}

/**
 * Bounds what arrives before anything of it is parsed: each frame, and all unfinished ones of this process together. Over the budget the
 * frame that began longest ago loses its connection: a client that uploads is faster than one that parks memory.
 */
export class UnfinishedFrames extends Context.Service<
  UnfinishedFrames,
  {
    /** Counts what arrives on the stream until it closes; `refuse` has to end it when a frame is above the limit. */
    readonly watch: (stream: Readable, limit: number, refuse: () => void) => Arriving
  }
>()("bytebot/UnfinishedFrames") {
  static readonly layer = Layer.sync(UnfinishedFrames, () => {
    /** Begun longest ago first. */
    const unfinished = new Set<Frame>()
    let total = 0
    const forget = (frame: Frame) => {
      unfinished.delete(frame)
      total -= frame.size
      frame.size = 0
    }
    const oldest = (): Frame | undefined => {
      for (const frame of unfinished) if (frame.size > small) return frame
      return undefined
    }
    return UnfinishedFrames.of({
      watch: (stream, limit, refuse) => {
        const frame: Frame = { size: 0, limit, stream }
        const count = ({ length }: Buffer | string) => {
          unfinished.add(frame)
          frame.size += length
          total += length
          if (frame.size > frame.limit) {
            forget(frame)
            return refuse()
          }
          for (let next = oldest(); total > budget && next !== undefined; next = oldest()) {
            forget(next)
            next.stream.destroy()
          }
        }
        // Unlike `on`, this does not make the stream flow before its reader is there.
        stream.prependListener("data", count)
        stream.once("close", () => {
          stream.off("data", count)
          forget(frame)
        })
        return {
          finished: () => forget(frame),
          allow: (larger) => {
            frame.limit = larger
          }
        }
      }
    })
  })
}

/** Ends a WebSocket's connection with the close code for frames that are too large (RFC 6455, section 7.4.1: 1009). */
export const refuseFrame = (socket: Duplex): void => {
  socket.removeAllListeners("data")
  socket.resume()
  socket.end(Buffer.from([0x88, 2, 1009 >> 8, 1009 & 0xff]))
  setTimeout(() => socket.destroy(), farewell).unref()
}
