/** An event of Socket.IO's default namespace as it goes to any number of clients, encoded once for all of them. */
export interface EncodedEvent {
  /** The packet, byte for byte as socket.io's own encoder would write it. */
  readonly text: string
  /** For engine.io's `write`. Clients by WebSocket get the frame as it is, others the text. */
  readonly options: { readonly compress: boolean; readonly wsPreEncodedFrame: ReadonlyArray<Buffer> }
}

/**
 * `payload` is JSON text, as `JSON.stringify` writes it; `name` and `offset` need no escapes. The offset is a second argument, for clients
 * that recover by it.
 */
export const encodeEvent = (name: string, payload: string, offset?: string): EncodedEvent => {
  const text = offset === undefined ? `2["${name}",${payload}]` : `2["${name}",${payload},"${offset}"]`
  // "4" is engine.io's type of a message.
  return { text, options: { compress: true, wsPreEncodedFrame: [textFrame(`4${text}`)] } }
}

/**
 * A whole, unmasked text frame (RFC 6455, 5.2). Header and text are in one buffer, which takes Node one plain write per client, where the
 * two buffers that socket.io's adapter makes take a gathered one.
 */
const textFrame = (text: string): Buffer => {
  const size = Buffer.byteLength(text)
  const headerSize = size < 126 ? 2 : size < 65_536 ? 4 : 10
  const frame = Buffer.allocUnsafe(headerSize + size)
  frame[0] = 0x81
  if (headerSize === 2) frame[1] = size
  else if (headerSize === 4) {
    frame[1] = 126
    frame.writeUInt16BE(size, 2)
  } else {
    frame[1] = 127
    frame.writeBigUInt64BE(BigInt(size), 2)
  }
  frame.write(text, headerSize)
  return frame
}

/** Makes the value when it is first asked for. */
export const once = <A>(make: () => A): (() => A) => {
  let made: { readonly value: A } | undefined
  return () => {
    made ??= { value: make() }
    return made.value
  }
}
