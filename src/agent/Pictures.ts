import type { ImageBlock } from "../domain/ContentBlock.ts"

/** Width and height in pixels. */
export interface PictureSize {
  readonly width: number
  readonly height: number
}

const startsWith = (bytes: Buffer, hex: string): boolean => bytes.toString("hex", 0, hex.length / 2) === hex

/** The type of a picture that all providers take, by its first bytes. */
export const pictureType = (bytes: Buffer): string | undefined => {
  if (startsWith(bytes, "89504e470d0a1a0a")) return "image/png"
  if (startsWith(bytes, "ffd8ff")) return "image/jpeg"
  if (startsWith(bytes, "474946383761") || startsWith(bytes, "474946383961")) return "image/gif"
  return startsWith(bytes, "52494646") && bytes.toString("latin1", 8, 12) === "WEBP" ? "image/webp" : undefined
}

/** ITU-T T.81, B.1.1.3: the frame header's markers; others of that range are tables. */
const isFrameMarker = (marker: number): boolean =>
  marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc

const jpegSize = (bytes: Buffer): PictureSize | undefined => {
  for (let offset = 2; offset + 9 <= bytes.length; offset += 2 + bytes.readUInt16BE(offset + 2)) {
    if (isFrameMarker(bytes.readUInt8(offset + 1))) {
      return { height: bytes.readUInt16BE(offset + 5), width: bytes.readUInt16BE(offset + 7) }
    }
  }
  return undefined
}

/** Base64 characters in which the head of a picture is; a JPEG may have a thumbnail before it. */
const headLength = 256 * 1024

/** The size of a picture by its head (PNG, JPEG, GIF). */
export const sizeInHead = (data: string): PictureSize | undefined => {
  const bytes = Buffer.from(data.slice(0, headLength), "base64")
  const type = pictureType(bytes)
  if (type === "image/png" && bytes.length >= 24) {
    return { width: bytes.readUInt32BE(16), height: bytes.readUInt32BE(20) }
  }
  if (type === "image/gif" && bytes.length >= 10) {
    return { width: bytes.readUInt16LE(6), height: bytes.readUInt16LE(8) }
  }
  return type === "image/jpeg" ? jpegSize(bytes) : undefined
}

const sizes = new WeakMap<ImageBlock, PictureSize | "unknown">()

/** The size that a picture had before it was scaled. */
export const sizeOf = (image: ImageBlock): PictureSize | "unknown" => {
  const size = sizes.get(image) ?? sizeInHead(image.source.data) ?? "unknown"
  sizes.set(image, size)
  return size
}

const pictureOf = (data: string, mediaType: string): ImageBlock => ({
  type: "image",
  source: { data, type: "base64", media_type: mediaType }
})

/** Pictures that do not show the screen. */
const ofFiles = new WeakSet<ImageBlock>()

/** A picture that is a file's content. */
export const filePicture = (data: string, mediaType: string): ImageBlock => {
  const image = pictureOf(data, mediaType)
  ofFiles.add(image)
  return image
}

/** The picture in place of a larger one, whose size it stands for. */
export const standingFor = (original: ImageBlock, data: string, mediaType: string): ImageBlock => {
  const image = ofFiles.has(original) ? filePicture(data, mediaType) : pictureOf(data, mediaType)
  sizes.set(image, sizeOf(original))
  return image
}

/** The size of the screen, where the picture shows it. */
export const screenSizeOf = (image: ImageBlock): PictureSize | "unknown" =>
  ofFiles.has(image) ? "unknown" : sizeOf(image)
