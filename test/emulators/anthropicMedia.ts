import {
  at,
  type Fields,
  invalid,
  requiredChoice,
  requiredDictionary,
  requiredString,
  tagOf
} from "./anthropicShape.ts"
import { bytesOf, imageTypeOf, isPdf, longerSide } from "./media.ts"

/** The API's rules for pictures and documents: https://platform.claude.com/docs/en/build-with-claude/vision */

/** The limit is on the base64 text, not on the bytes it stands for. */
export const maxImageBytes = 5 * 1024 * 1024
export const maxImages = 100
const maxSide = 8000
/** With more than 20 pictures in a request none may be larger than 2000 pixels. */
const manyImages = 20
const maxSideOfMany = 2000

export interface SeenImage {
  readonly path: string
  readonly side: number | null
}

const mediaTypes = ["image/jpeg", "image/png", "image/gif", "image/webp"]
const decode = (data: string, path: string): Buffer => {
  const bytes = bytesOf(data)
  if (bytes === null) throw invalid(path, "invalid base64 data")
  return bytes
}

/** Checks an image block's source; `path` is the block's. */
export const checkImage = (block: Fields, path: string): SeenImage => {
  const source = requiredDictionary(block, "source", path)
  const tag = tagOf(source, at(path, "source"), ["base64", "url", "file"])
  const inside = at(at(path, "source"), tag)
  if (tag !== "base64") {
    requiredString(source, tag === "url" ? "url" : "file_id", inside)
    onlySourceKeys(source, inside, [tag === "url" ? "url" : "file_id"])
    return { path: inside, side: null }
  }
  onlySourceKeys(source, inside, ["data", "media_type"])
  const declared = requiredChoice(source, "media_type", inside, mediaTypes)
  const data = requiredString(source, "data", inside)
  if (data === "") throw invalid(inside, "image cannot be empty")
  if (data.length > maxImageBytes) {
    throw invalid(inside, `image exceeds 5 MB maximum: ${data.length} bytes > ${maxImageBytes} bytes`)
  }
  const bytes = decode(data, inside)
  const actual = imageTypeOf(bytes)
  if (actual === null) throw invalid(at(inside, "data"), "Could not process image")
  if (actual !== declared) {
    throw invalid(
      inside,
      `The image was specified using the ${declared} media type, but the image appears to be a ${actual} image`
    )
  }
  return { path: at(inside, "data"), side: longerSide(bytes, actual) }
}

/** Checks what concerns all pictures of a request together. */
export const checkImages = (images: ReadonlyArray<SeenImage>): void => {
  if (images.length > maxImages) {
    throw invalid("messages", `too many images in the request: ${images.length} > ${maxImages} maximum`)
  }
  const many = images.length > manyImages
  const limit = many ? maxSideOfMany : maxSide
  for (const { path, side } of images) {
    if (side !== null && side > limit) {
      const which = many ? "max allowed size for many-image requests" : "max allowed size"
      throw invalid(path, `At least one of the image dimensions exceed ${which}: ${limit} pixels`)
    }
  }
}

/** Checks a document's source of type base64, text, url or file; `content` is up to the caller. */
export const checkDocumentSource = (source: Fields, tag: string, inside: string): void => {
  if (tag === "base64") {
    onlySourceKeys(source, inside, ["data", "media_type"])
    requiredChoice(source, "media_type", inside, ["application/pdf"])
    const bytes = decode(requiredString(source, "data", inside), inside)
    if (bytes.length === 0) throw invalid(inside, "PDF cannot be empty")
    if (!isPdf(bytes)) throw invalid(at(inside, "data"), "The PDF specified was not valid.")
    return
  }
  if (tag === "text") {
    onlySourceKeys(source, inside, ["data", "media_type"])
    requiredChoice(source, "media_type", inside, ["text/plain"])
    if (requiredString(source, "data", inside) === "") throw invalid(inside, "text cannot be empty")
    return
  }
  const key = tag === "url" ? "url" : "file_id"
  onlySourceKeys(source, inside, [key])
  requiredString(source, key, inside)
}

const onlySourceKeys = (source: Fields, inside: string, keys: ReadonlyArray<string>): void => {
  for (const key of Object.keys(source)) {
    if (key !== "type" && !keys.includes(key)) throw invalid(at(inside, key), "Extra inputs are not permitted")
  }
}
