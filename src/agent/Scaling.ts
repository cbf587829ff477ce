import { Effect, Schema } from "effect"
import { type ContentBlock, ImageBlock, type TextBlock, text } from "../domain/ContentBlock.ts"
import type { Entry } from "../domain/Conversation.ts"
import { loadSharp, opaquePixels, type Pixels, type Sharp } from "../messages/OpaquePixels.ts"
import type { PictureLimits } from "../models/LanguageModel.ts"
import { sizeInHead, sizeOf, standingFor } from "./Pictures.ts"

/** Makes pictures fit a provider: scaled by sharp; without it, what the provider would refuse is left out with a sentence. */

/** Tries in turn until the picture is small enough: the side as a part of the best one, and whether it may lose detail. */
const tries = [
  { part: 1, isLossy: false },
  { part: 1, isLossy: true },
  { part: 0.5, isLossy: true },
  { part: 0.25, isLossy: true }
]

const jpegQuality = 85

/** A picture with more may take hundreds of megabytes to decode. */
const mostPixels = 100_000_000

const encoded = (sharp: Sharp, { data, info }: Pixels, side: number, isLossy: boolean) => {
  const resized = sharp(data, { raw: info }).resize({
    width: side,
    height: side,
    fit: "inside",
    withoutEnlargement: true
  })
  return Effect.tryPromise(() => (isLossy ? resized.jpeg({ quality: jpegQuality }) : resized.png()).toBuffer())
}

/** Undefined where the picture can't be decoded, or not made small enough. */
const scaled = Effect.fnUntraced(
  function* (sharp: Sharp, image: ImageBlock, limits: PictureLimits) {
    const pixels = yield* opaquePixels(sharp, Buffer.from(image.source.data, "base64"), mostPixels)
    const isPhoto = image.source.media_type === "image/jpeg"
    for (const { isLossy, part } of tries.slice(isPhoto ? 1 : 0)) {
      const result = yield* encoded(sharp, pixels, Math.round(limits.bestSide * part), isLossy)
      const data = result.toString("base64")
      if (data.length <= limits.bytes) return standingFor(image, data, isLossy ? "image/jpeg" : "image/png")
    }
    return undefined
  },
  Effect.orElseSucceed(() => undefined)
)

const words = (image: ImageBlock): string => {
  const size = sizeOf(image)
  return size === "unknown" ? "A picture" : `A picture of ${size.width} x ${size.height} pixels`
}

const leftOut = (image: ImageBlock): ReadonlyArray<ImageBlock | TextBlock> => [
  text(`(${words(image)} is larger than this model takes, and is left out.)`)
]

const withNote = (image: ImageBlock, shown: ImageBlock): ReadonlyArray<ImageBlock | TextBlock> => {
  const [before, after] = [sizeOf(image), sizeInHead(shown.source.data)]
  if (before === "unknown" || after === undefined || before.width === after.width) return [shown]
  const factor = (before.width / after.width).toFixed(3).replace(/\.?0+$/, "")
  return [shown, text(`(${words(image)}, scaled down here: multiply coordinates read from it by ${factor}.)`)]
}

const exceeds = (image: ImageBlock, bytes: number, side: number): boolean => {
  if (image.source.data.length > bytes) return true
  const size = sizeOf(image)
  return size !== "unknown" && Math.max(size.width, size.height) > side
}

/** What is made of a picture for a provider with these limits: the same objects each time, whose digests are known. */
const fitterOf = (sharp: Sharp | undefined, limits: PictureLimits) => {
  const known = new WeakMap<ImageBlock, ReadonlyArray<ImageBlock | TextBlock>>()
  return Effect.fnUntraced(function* (image: ImageBlock) {
    if (!exceeds(image, limits.bytes, limits.bestSide)) return [image]
    const shown = known.get(image)
    if (shown !== undefined) return shown
    const fallback = exceeds(image, limits.bytes, limits.side) ? leftOut(image) : [image]
    const smaller = sharp === undefined ? undefined : yield* scaled(sharp, image, limits)
    const made = smaller === undefined ? fallback : withNote(image, smaller)
    known.set(image, made)
    return made
  })
}

type Fitter = ReturnType<typeof fitterOf>

/** The items with their pictures made to fit. */
const fitItems = <I extends { readonly type: string }>(
  items: ReadonlyArray<I | ImageBlock>,
  fitted: Fitter
): Effect.Effect<ReadonlyArray<I | ImageBlock | TextBlock>> =>
  Effect.map(
    Effect.forEach(
      items,
      (item): Effect.Effect<ReadonlyArray<I | ImageBlock | TextBlock>> =>
        isPicture(item) ? fitted(item) : Effect.succeed([item])
    ),
    (content) => content.flat()
  )

const isPicture = Schema.is(ImageBlock)

const fitBlock = (block: ContentBlock, fitted: Fitter): Effect.Effect<ReadonlyArray<ContentBlock>> => {
  switch (block.type) {
    case "tool_result":
      return Effect.map(fitItems(block.content, fitted), (content) => [{ ...block, content }])
    case "user_action":
      return Effect.map(fitItems(block.content, fitted), (content) => [
        { ...block, content: content.filter((item) => item.type !== "text") }
      ])
    default:
      return fitItems([block], fitted)
  }
}

const isFitting = ({ content }: Entry, { bestSide, bytes }: PictureLimits): boolean =>
  content.every((block) => {
    const items = block.type === "tool_result" || block.type === "user_action" ? block.content : [block]
    return items.every((item) => item.type !== "image" || !exceeds(item, bytes, bestSide))
  })

/** The entries with pictures that fit the limits; those without a change stay the same objects. */
export const makeFit = Effect.gen(function* () {
  const sharp = yield* loadSharp
  const fitters = new Map<PictureLimits, Fitter>()

  return Effect.fnUntraced(function* (entries: ReadonlyArray<Entry>, limits: PictureLimits) {
    if (entries.every((entry) => isFitting(entry, limits))) return entries
    const fitted = fitters.get(limits) ?? fitterOf(yield* sharp, limits)
    fitters.set(limits, fitted)
    return yield* Effect.forEach(entries, (entry) =>
      isFitting(entry, limits)
        ? Effect.succeed(entry)
        : Effect.map(
            Effect.forEach(entry.content, (block) => fitBlock(block, fitted)),
            (content) => ({ ...entry, content: content.flat() })
          )
    )
  })
})
