import { Encoder, Decoder as SocketIoDecoder } from "socket.io-parser"
import { shapeProblem } from "./JsonShape.ts"

/** Bytes of binary attachments that a packet may have. No event of the service has any, but a client that sends some is left alone. */
const largestAttachments = 64 * 1024

/**
 * Socket.IO's decoder, but that a packet is looked at before it is parsed, and that the attachments for which it waits are bounded. What it
 * throws ends the connection.
 */
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
