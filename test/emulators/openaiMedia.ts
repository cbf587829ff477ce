import { bytesOf, imageTypeOf, isPdf } from "./media.ts"
import { absent, at, type Fields, invalid, missing, optionalString, requiredString } from "./openaiShape.ts"

/**
 * Pictures and files: https://developers.openai.com/api/docs/guides/images-vision, …/file-inputs. The count of pictures is what all
 * versions of the page allow.
 */

const maxImages = 500
const imageTypes = ["image/jpeg", "image/png", "image/gif", "image/webp"]

const dataUrl = /^data:([^;,]*);base64,(.*)$/s

/** Checks the URL of a picture. */
export const checkImageUrl = (url: string, path: string): void => {
  if (/^https?:\/\/\S+$/.test(url)) return
  const [, type, data] = dataUrl.exec(url) ?? []
  if (type === undefined || data === undefined) {
    throw invalid(path, `Invalid '${path}'. Expected a valid URL, but got a value with an invalid format.`)
  }
  if (!imageTypes.includes(type)) {
    throw invalid(
      path,
      `Invalid '${path}'. Expected a base64-encoded data URL with an image MIME type (e.g. ` +
        `'data:image/png;base64,aW1nIGJ5dGVzIGhlcmU='), but got unsupported MIME type '${type}'.`
    )
  }
  const bytes = bytesOf(data)
  if (bytes === null || bytes.length === 0) {
    throw invalid(
      path,
      `Invalid '${path}'. Expected a base64-encoded data URL with an image MIME type (e.g. ` +
        "'data:image/png;base64,aW1nIGJ5dGVzIGhlcmU='), but got an invalid base64-encoded value."
    )
  }
  if (imageTypeOf(bytes) === null) {
    throw invalid(
      "input",
      "The image data you provided does not represent a valid image. Please check your input and try again with one of " +
        "the supported image formats: ['image/jpeg', 'image/png', 'image/gif', 'image/webp'].",
      "invalid_image"
    )
  }
}

/** Checks an input_image; `path` is the part's. */
export const checkImage = (part: Fields, path: string): void => {
  if (!absent(part.file_id)) {
    requiredString(part, "file_id", path)
    return
  }
  if (absent(part.image_url)) throw missing(at(path, "image_url"))
  checkImageUrl(requiredString(part, "image_url", path), at(path, "image_url"))
}

export const checkImageCount = (count: number): void => {
  if (count > maxImages)
    throw invalid("input", `Too many images in request. Max is ${maxImages}.`, "max_images_per_request")
}

/** Checks an input_file; `path` is the part's. */
export const checkFile = (part: Fields, path: string): void => {
  for (const key of ["file_id", "file_url", "filename"]) optionalString(part, key, path)
  if (!absent(part.file_id) || !absent(part.file_url)) return
  if (absent(part.file_data)) throw missing(at(path, "file_data"))
  if (absent(part.filename)) throw missing(at(path, "filename"))
  const here = at(path, "file_data")
  const [, type, data] = dataUrl.exec(requiredString(part, "file_data", path)) ?? []
  const bytes = data === undefined ? null : bytesOf(data)
  if (type === undefined || bytes === null) {
    throw invalid(
      here,
      `Invalid '${here}'. Expected a base64-encoded data URL with an application/pdf MIME type (e.g. ` +
        "'data:application/pdf;base64,cGRmIGJ5dGVzIGhlcmU='), but got a value without the 'data:' prefix."
    )
  }
  if (type === "application/pdf" && !isPdf(bytes)) {
    throw invalid("input", "The file could not be parsed as a PDF.", "invalid_file")
  }
}
