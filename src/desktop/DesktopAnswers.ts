import { Option, Schema } from "effect"
import { boundedJson } from "../database/StorableJson.ts"
import { integerOf, shortened } from "../domain/Bounds.ts"
import { Coordinates } from "./DesktopAction.ts"

/** Answers and reports of the daemon (docs/contract/desktop.md), bounded: a desktop runs unknown programs, and may be hostile. */

/** Characters of a picture or file in base64: 32 MB. */
const largestData = Math.ceil((32 * 1024 * 1024) / 3) * 4

/** Characters of the daemon's message, and of a file's name (NAME_MAX of Linux). */
const longest = { message: 1_000, name: 255 }

const Message = Schema.optionalKey(Schema.Json)

/** RFC 4648, section 4; models refuse invalid base64. */
const isBase64 = (text: string): boolean =>
  text.length % 4 === 0 && !/[^A-Za-z0-9+/]/.test(text.slice(0, -2) + text.slice(-2).replace(/={1,2}$/, ""))

const Base64 = Schema.String.check(
  Schema.isMaxLength(largestData),
  Schema.makeFilter((text: string) => isBase64(text), { expected: "base64" })
)

/** A PNG picture (its signature: RFC 2083, section 12.11) in base64. */
export const Screenshot = Schema.Struct({
  image: Base64.check(Schema.isStartingWith("iVBORw0KGgo"))
})

export const CursorPosition = Coordinates

export const WriteFile = Schema.Struct({ success: Schema.Boolean, message: Message })

export const ReadFile = Schema.Union([
  Schema.Struct({
    success: Schema.Literal(true),
    data: Base64,
    name: Schema.String,
    size: Schema.optionalKey(Schema.Json),
    mediaType: Schema.String
  }),
  Schema.Struct({ success: Schema.Literal(false), message: Message })
])

/** A file as the daemon reads it: `data` is base64, `size` in bytes. */
export interface DesktopFile {
  readonly data: string
  readonly name: string
  readonly size: number
  readonly mediaType: string
}

/** The file with a name, a type and a size that can be stored and shown. */
export const desktopFile = (file: Extract<typeof ReadFile.Type, { readonly success: true }>): DesktopFile => ({
  data: file.data,
  name: shortened(file.name, longest.name),
  size: integerOf(file.size),
  mediaType: /^[\w.+-]{1,127}\/[\w.+-]{1,127}(?=;|$)/.exec(file.mediaType)?.[0] ?? "application/octet-stream"
})

/** The daemon's message of a failure, or `otherwise`. */
export const messageOf = (message: Schema.Json | undefined, otherwise: string): string =>
  typeof message === "string" && message !== "" ? shortened(message, longest.message) : otherwise

const answerLimits = { depth: 8, values: 10_000 }

const decodeJson = Schema.decodeUnknownOption(Schema.fromJsonString(Schema.Unknown))

/** The JSON of an answer, bounded; null for invalid JSON. */
export const answerOf = (text: string): Schema.Json => {
  const parsed = decodeJson(text)
  return parsed._tag === "Some" ? boundedJson(parsed.value, answerLimits) : null
}

/** Fields of what a person did; a drag reports each point of its path. `characters` counts the JSON text. */
const actionLimits = { depth: 6, values: 20_000, characters: 1024 * 1024 }

const Fields = Schema.Record(Schema.String, Schema.Json)
const decodeFields = Schema.decodeUnknownOption(
  Fields.check(
    Schema.makeFilter((fields: typeof Fields.Type) => JSON.stringify(fields).length <= actionLimits.characters)
  )
)

const decodeScreenshot = Schema.decodeUnknownOption(Screenshot)

/** The picture of a reported screen; undefined if it is invalid or above 8 MB, as many may wait to be stored. */
export const reportedPicture = (screen: unknown): string | undefined => {
  const { image } = Option.getOrElse(decodeScreenshot(screen), () => ({ image: undefined }))
  return image === undefined || image.length > 8 * 1024 * 1024 ? undefined : image
}

/** The fields of a reported action, bounded; None if it is not an object. */
export const reportedAction = (action: unknown) => decodeFields(boundedJson(action, actionLimits))
