/** Decodes base64 in pieces as `Buffer.from` decodes it whole: characters outside the alphabet are skipped, padding ends it. */
export const base64Decoder = (): ((piece: Uint8Array, isLast: boolean) => Uint8Array) => {
  let rest = ""
  let isOver = false
  return (piece, isLast) => {
    if (isOver) return new Uint8Array()
    const text = Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength).toString("latin1")
    if (rest === "" && piece.length % 4 === 0) {
      const bytes = Buffer.from(text, "base64")
      if (bytes.length === (piece.length / 4) * 3) return bytes
    }
    const [own = ""] = text.split("=", 1)
    isOver = own.length < text.length
    const clean = rest + own.replaceAll(/[^A-Za-z0-9+/_-]/g, "")
    const usable = isLast || isOver ? clean.length : clean.length - (clean.length % 4)
    rest = clean.slice(usable)
    return Buffer.from(clean.slice(0, usable), "base64")
  }
}

/** Bytes in base64 of this length, by its last characters; undefined if it is not padded (RFC 4648). */
export const decodedLength = (length: number, end: string): number | undefined => {
  const padding = /^[A-Za-z0-9+/_-]*(={0,2})$/.exec(end)?.[1]?.length
  return padding === undefined || length % 4 !== 0 ? undefined : (length / 4) * 3 - padding
}
