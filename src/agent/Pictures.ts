import type { ImageBlock } from "../domain/ContentBlock.ts"

/** Width and height in pixels. */
export interface PictureSize {
  readonly width: number
  readonly height: number
}

const pngHead = "89504e470d0a1a0a"

/** Bytes of a PNG up to the end of its height (www.w3.org/TR/png-3, 11.2.1). */
const pngHeadBytes = 24

const sizes = new WeakMap<ImageBlock, PictureSize | "unknown">()

const readSize = ({ source }: ImageBlock): PictureSize | "unknown" => {
  const head = Buffer.from(source.data.slice(0, (pngHeadBytes / 3) * 4), "base64")
  return head.length === pngHeadBytes && head.toString("hex", 0, 8) === pngHead
    ? { width: head.readUInt32BE(16), height: head.readUInt32BE(20) }
    : "unknown"
}

/** The size of a PNG by its head; `unknown` for anything else. */
export const sizeOf = (image: ImageBlock): PictureSize | "unknown" => {
  const size = sizes.get(image) ?? readSize(image)
  sizes.set(image, size)
  return size
}
