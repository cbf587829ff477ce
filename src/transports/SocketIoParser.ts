import { Encoder, Decoder as SocketIoDecoder } from "socket.io-parser"
import { shapeProblem } from "./JsonShape.ts"

/** Most bytes of a packet's binary attachments. The service's events have none, but clients may send some. */
const largestAttachments = 64 * 1024

/** Socket.IO's decoder with limits on a packet's shape, checked before it is parsed, and on its attachments. An error ends the connection. */
export class Decoder extends SocketIoDecoder {
  private attached = 0

  override add(packet: unknown): void {
    if (typeof packet === "string") {
      this.attached = 0
      const problem = shapeProblem(packet)
      if (problem !== undefined) throw new Error(problem)
    } else if (packet instanceof Uint8Array) {
      this.attached += packet.length
      if (this.attached > largestAttachments) throw new Error("The attachments are too large")
    }
    super.add(packet)
  }
}

export { Encoder }
