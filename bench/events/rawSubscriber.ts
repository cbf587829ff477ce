import { connect } from "node:net"

/**
 * A Socket.IO client that speaks just enough of its protocols to take part: a real WebSocket that joins a task's room, answers pings, and
 * looks at the beginning of each message. A thousand of these cost a fraction of what a thousand real clients would.
 */

/** Bytes at the beginning of a message that tell what it is. */
const headSize = 96

/** A masked text frame; the mask of zeros leaves the text as it is. */
const frame = (text: string): Buffer => {
  const payload = Buffer.from(text)
  if (payload.length > 125) throw new Error("too long for a short frame")
  return Buffer.concat([Buffer.from([0x81, 0x80 | payload.length, 0, 0, 0, 0]), payload])
}

/** Calls back with the beginning of each WebSocket message, all of whose bytes have come, and its length. */
const frameReader = (onMessage: (head: string, length: number) => void) => {
  let pending: Buffer = Buffer.alloc(0)
  let head = ""
  let length = 0
  let missing = 0
  return (chunk: Buffer): void => {
    let data = pending.length === 0 ? chunk : Buffer.concat([pending, chunk])
    pending = Buffer.alloc(0)
    while (data.length > 0) {
      if (missing === 0) {
        const short = (data[1] ?? 0) & 0x7f
        const headerSize = short === 127 ? 10 : short === 126 ? 4 : 2
        const size = data.length < headerSize ? 0 : sizeIn(data, short)
        if (data.length < headerSize + Math.min(size, headSize)) {
          pending = data
          return
        }
        head = data.toString("latin1", headerSize, headerSize + Math.min(size, headSize))
        length = size
        missing = size
        data = data.subarray(headerSize)
      }
      const taken = Math.min(missing, data.length)
      missing -= taken
      data = data.subarray(taken)
      if (missing === 0) onMessage(head, length)
    }
  }
}

const sizeIn = (data: Buffer, short: number): number =>
  short === 127 ? Number(data.readBigUInt64BE(2)) : short === 126 ? data.readUInt16BE(2) : short

const upgrade = (host: string): string =>
  `GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: ${host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
  "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"

/** Resolves once the room was joined; `onEvent` gets the beginning of every event's packet (`42[…`) and its length in bytes. */
export const rawSubscriber = (
  url: string,
  taskId: string,
  onEvent: (head: string, length: number) => void
): Promise<void> =>
  new Promise((resolve, reject) => {
    const { host, hostname, port } = new URL(url)
    const socket = connect({ host: hostname, port: Number(port), noDelay: true }, () => socket.write(upgrade(host)))
    socket.on("error", reject)
    socket.on("close", () => {
      throw new Error("The server closed the connection")
    })
    const read = frameReader((head, length) => {
      if (head.startsWith("42")) onEvent(head, length)
      else if (head.startsWith("43")) resolve()
      else if (head.startsWith("40")) socket.write(frame(`420["join_task","${taskId}"]`))
      else if (head.startsWith("0")) socket.write(frame("40"))
      else if (head.startsWith("2")) socket.write(frame("3"))
      else reject(new Error(`unexpected: ${head}`))
    })
    let answer: Buffer = Buffer.alloc(0)
    const readAnswer = (chunk: Buffer): void => {
      answer = Buffer.concat([answer, chunk])
      const end = answer.indexOf("\r\n\r\n")
      if (end < 0) return
      socket.off("data", readAnswer)
      socket.on("data", read)
      read(answer.subarray(end + 4))
    }
    socket.on("data", readAnswer)
  })
