import { Predicate, type Schema } from "effect"

/** A picture in a message, as it is stored. */
export interface StoredImage {
  /** Base64. */
  readonly data: string
  readonly mediaType: string
}

/** Where the picture with this number (from 0) of a message is to be had. */
export const imagePath = (messageId: string, index: number): string =>
  `/messages/${encodeURIComponent(messageId)}/images/${index}`

const isObject = (json: Schema.Json): json is { readonly [key: string]: Schema.Json } =>
  typeof json === "object" && json !== null && !Array.isArray(json)

const imageOf = (block: Schema.Json): StoredImage | undefined => {
  if (!Predicate.hasProperty(block, "type") || block.type !== "image" || !Predicate.hasProperty(block, "source")) return
  const { source } = block
  if (!Predicate.hasProperty(source, "data") || typeof source.data !== "string") return
  const mediaType = Predicate.hasProperty(source, "media_type") ? source.media_type : undefined
  return { data: source.data, mediaType: typeof mediaType === "string" ? mediaType : "image/png" }
}

/**
 * The blocks with each picture replaced by what `replace` makes of it, in the order in which they are numbered: as they stand, those inside a
 * tool's result or a user's action in their place.
 */
export const replaceImages = (
  blocks: ReadonlyArray<Schema.Json>,
  replace: (image: StoredImage, index: number) => Schema.Json
): ReadonlyArray<Schema.Json> => {
  let index = 0
  const visit = (block: Schema.Json): Schema.Json => {
    const image = imageOf(block)
    if (image !== undefined) return replace(image, index++)
    if (!isObject(block)) return block
    const { content } = block
    return Array.isArray(content) ? { ...block, content: content.map(visit) } : block
  }
  return blocks.map(visit)
}

/** The same content with addresses in place of pictures; keys stand as jsonb would order them. */
export const withImageUrls = (messageId: string, blocks: ReadonlyArray<Schema.Json>): ReadonlyArray<Schema.Json> =>
  replaceImages(blocks, ({ mediaType }, index) => ({
    type: "image",
    source: { url: imagePath(messageId, index), type: "url", media_type: mediaType }
  }))

/** The picture with this number, from 0. */
export const imageAt = (blocks: ReadonlyArray<Schema.Json>, wanted: number): StoredImage | undefined => {
  let found: StoredImage | undefined
  replaceImages(blocks, (image, index) => {
    if (index === wanted) found = image
    return null
  })
  return found
}
