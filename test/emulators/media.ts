/** What the bytes of pictures and documents tell. */

const base64 = /^[A-Za-z0-9+/]*={0,2}$/

/** The bytes that base64 text stands for; null where it is not base64. */
export const bytesOf = (text: string): Buffer | null =>
  text.length % 4 === 0 && base64.test(text) ? Buffer.from(text, "base64") : null

/** The type of a picture by its first bytes; null where it is none that providers take. */
export const imageTypeOf = (bytes: Buffer): string | null => {
  const starts = (hex: string) => bytes.toString("hex", 0, hex.length / 2) === hex
  if (starts("89504e470d0a1a0a")) return "image/png"
  if (starts("ffd8ff")) return "image/jpeg"
  if (starts("474946383761") || starts("474946383961")) return "image/gif"
  if (starts("52494646") && bytes.toString("latin1", 8, 12) === "WEBP") return "image/webp"
  return null
}

/** The longer side in pixels where the head tells it (PNG, GIF, baseline and progressive JPEG). */
export const longerSide = (bytes: Buffer, mediaType: string): number | null => {
  if (mediaType === "image/png" && bytes.length >= 24) return Math.max(bytes.readUInt32BE(16), bytes.readUInt32BE(20))
  if (mediaType === "image/gif" && bytes.length >= 10) return Math.max(bytes.readUInt16LE(6), bytes.readUInt16LE(8))
  if (mediaType !== "image/jpeg") return null
  for (let offset = 2; offset + 9 <= bytes.length; offset += 2 + bytes.readUInt16BE(offset + 2)) {
    const marker = bytes.readUInt8(offset + 1)
    const isFrame = marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker)
    if (isFrame) return Math.max(bytes.readUInt16BE(offset + 5), bytes.readUInt16BE(offset + 7))
  }
  return null
}

export const isPdf = (bytes: Buffer): boolean => bytes.toString("latin1", 0, 5) === "%PDF-"
