import { crc32, deflateSync, inflateSync } from "node:zlib"

/** A small PNG codec (W3C PNG, third edition): 8 bits a channel, not interlaced; enough for screens and for tests. */

export interface Picture {
  readonly width: number
  readonly height: number
  /** RGBA, 4 bytes a pixel, rows from the top. */
  readonly rgba: Uint8Array
}

const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a])

const chunk = (type: string, data: Buffer): Buffer => {
  const body = Buffer.concat([Buffer.from(type, "latin1"), data])
  const framed = Buffer.alloc(body.length + 8)
  framed.writeUInt32BE(data.length, 0)
  body.copy(framed, 4)
  framed.writeUInt32BE(crc32(body), body.length + 4)
  return framed
}

/** PNG of color type 6 (RGBA). Fast rather than small: compression level 1, no row filters. */
export const encodePng = ({ width, height, rgba }: Picture): Buffer => {
  const header = Buffer.alloc(13)
  header.writeUInt32BE(width, 0)
  header.writeUInt32BE(height, 4)
  header.set([8, 6, 0, 0, 0], 8)
  const stride = width * 4
  const rows = Buffer.alloc((stride + 1) * height)
  for (let y = 0; y < height; y++) rows.set(rgba.subarray(y * stride, (y + 1) * stride), y * (stride + 1) + 1)
  return Buffer.concat([
    signature,
    chunk("IHDR", header),
    chunk("IDAT", deflateSync(rows, { level: 1 })),
    chunk("IEND", Buffer.alloc(0))
  ])
}

const channelsOf: Readonly<Record<number, number>> = { 0: 1, 2: 3, 4: 2, 6: 4 }

const paeth = (left: number, up: number, corner: number): number => {
  const guess = left + up - corner
  const toLeft = Math.abs(guess - left)
  const toUp = Math.abs(guess - up)
  const toCorner = Math.abs(guess - corner)
  if (toLeft <= toUp && toLeft <= toCorner) return left
  return toUp <= toCorner ? up : corner
}

/** Decodes gray, gray+alpha, RGB and RGBA; throws on anything else. */
export const decodePng = (png: Uint8Array): Picture => {
  const file = Buffer.from(png)
  if (!file.subarray(0, 8).equals(signature)) throw new Error("not a PNG")
  const parts: Array<Buffer> = []
  for (let offset = 8; offset + 12 <= file.length; ) {
    const length = file.readUInt32BE(offset)
    const body = file.subarray(offset + 4, offset + 8 + length)
    if (crc32(body) !== file.readUInt32BE(offset + 8 + length)) throw new Error("a chunk's checksum is wrong")
    if (body.toString("latin1", 0, 4) === "IDAT") parts.push(body.subarray(4))
    offset += length + 12
  }
  const width = file.readUInt32BE(16)
  const height = file.readUInt32BE(20)
  const channels = channelsOf[file.readUInt8(25)]
  if (file.readUInt8(24) !== 8 || channels === undefined || file.readUInt8(28) !== 0) throw new Error("unsupported PNG")
  return { width, height, rgba: unfilter(inflateSync(Buffer.concat(parts)), width, height, channels) }
}

const unfilter = (rows: Uint8Array, width: number, height: number, channels: number): Uint8Array => {
  const stride = width * channels
  const lines = new Uint8Array(stride * height)
  for (let y = 0; y < height; y++) {
    const filter = rows[y * (stride + 1)] ?? 0
    const row = rows.subarray(y * (stride + 1) + 1, (y + 1) * (stride + 1))
    const start = y * stride
    if (filter === 0) {
      lines.set(row, start)
      continue
    }
    for (let i = 0; i < stride; i++) {
      const left = i >= channels ? (lines[start + i - channels] ?? 0) : 0
      const up = y > 0 ? (lines[start - stride + i] ?? 0) : 0
      const corner = y > 0 && i >= channels ? (lines[start - stride + i - channels] ?? 0) : 0
      const predicted = [0, left, up, (left + up) >> 1, paeth(left, up, corner)][filter] ?? 0
      lines[start + i] = (row[i] ?? 0) + predicted
    }
  }
  if (channels === 4) return lines
  const rgba = new Uint8Array(width * height * 4)
  for (let i = 0; i < width * height; i++) rgba.set(pixelOf(lines, i * channels, channels), i * 4)
  return rgba
}

const pixelOf = (lines: Uint8Array, at: number, channels: number): ReadonlyArray<number> => {
  const [one = 0, two = 0, three = 0] = lines.subarray(at, at + channels)
  if (channels === 3) return [one, two, three, 255]
  return [one, one, one, channels === 2 ? two : 255]
}

/** Red, green and blue of a pixel. Alpha is left out: the daemon's is meaningless. */
export const rgbAt = (picture: Picture, x: number, y: number): readonly [number, number, number] => {
  const at = (y * picture.width + x) * 4
  const [red, green, blue] = picture.rgba.subarray(at, at + 3)
  if (red === undefined || green === undefined || blue === undefined) throw new Error(`no pixel at ${x}, ${y}`)
  return [red, green, blue]
}

/** Whether two pictures show the same, going by RGB alone. */
export const sameRgb = (one: Picture, other: Picture): boolean => {
  if (one.width !== other.width || one.height !== other.height) return false
  for (let i = 0; i < one.rgba.length; i++) if (i % 4 !== 3 && one.rgba[i] !== other.rgba[i]) return false
  return true
}
