import { at, bytes, type Fields, invalid, string } from "./googleShape.ts"
import { imageTypeOf, isPdf } from "./media.ts"

/** Rules for inline data: ai.google.dev/gemini-api/docs/image-understanding, /document-processing and /function-calling. */

const promptTypes = [
  ...["image/png", "image/jpeg", "image/webp", "image/heic", "image/heif", "application/pdf", "text/plain"],
  ...["audio/wav", "audio/mp3", "audio/ogg", "video/mp4", "video/webm"]
]
const responseTypes = ["image/png", "image/jpeg", "image/webp", "application/pdf", "text/plain"]

export const maxImages = 3000

/** Checks a Blob; true when it is an image. */
export const checkBlob = (blob: Fields, path: string, place: "prompt" | "response"): boolean => {
  const mimeType = string(blob, "mimeType", path)
  const data = bytes(blob, "data", path)
  if (mimeType === "") throw invalid(`The mime_type at '${path}' must be set.`)
  if (!(place === "prompt" ? promptTypes : responseTypes).includes(mimeType)) {
    throw invalid(`Unsupported MIME type: ${mimeType}`)
  }
  if (data.length === 0) throw invalid(`Unable to submit request because '${at(path, "data")}' is empty.`)
  if (["image/png", "image/jpeg", "image/webp"].includes(mimeType) && imageTypeOf(data) !== mimeType) {
    throw invalid(
      "Unable to process input image. Please retry or report in https://developers.generativeai.google/guide/troubleshooting"
    )
  }
  if (mimeType === "application/pdf" && !isPdf(data)) throw invalid("The document has no pages.")
  return mimeType.startsWith("image/")
}
