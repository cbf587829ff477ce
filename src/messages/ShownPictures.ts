import { Context, Effect, Layer, Option, Semaphore } from "effect"
import type { Picture } from "./Attachments.ts"

/** A decoded picture has 4 bytes a pixel; 50 million pixels are more than an 8K screen. */
const largestInput = 50_000_000

/** Pictures of at most this width, in pixels, are previews. */
const previewWidth = 640

/** `sharp` is an optional dependency: without it pictures are shown as they are. */
const loadSharp = Effect.tryPromise(() => import("sharp")).pipe(
  Effect.map(({ default: sharp }) => sharp),
  Effect.option,
  Effect.cached
)

/** Pictures for eyes: small, and without the alpha channel that desktops leave at 0 (docs/contract/desktop.md), which browsers take for invisible. */
export class ShownPictures extends Context.Service<
  ShownPictures,
  {
    /** The picture as WebP, at most `width` pixels wide; as it is where it can't be decoded. */
    readonly shown: (picture: Picture, width: number) => Effect.Effect<Picture>
  }
>()("bytebot/ShownPictures") {
  static readonly layer = Layer.effect(
    ShownPictures,
    Effect.gen(function* () {
      const sharp = yield* loadSharp
      const turns = yield* Semaphore.make(2)
      const shown = Effect.fn("ShownPictures.shown")(function* (picture: Picture, width: number) {
        const loaded = yield* sharp
        if (Option.isNone(loaded)) return picture
        const scaled = Effect.tryPromise(async () => {
          const sharp = loaded.value
          // In a step of its own: a resize multiplies the colours by alpha first.
          const opaque = await sharp(picture.bytes, { limitInputPixels: largestInput, pages: 1 })
            .removeAlpha()
            .raw()
            .toBuffer({ resolveWithObject: true })
          const bytes = await sharp(opaque.data, { raw: opaque.info })
            .resize({ width, withoutEnlargement: true })
            .webp(width <= previewWidth ? { quality: 80, effort: 2 } : { nearLossless: true, quality: 80, effort: 1 })
            .toBuffer()
          return { bytes: new Uint8Array(bytes), type: "image/webp" }
        })
        return yield* turns.withPermit(scaled).pipe(
          Effect.tapError(Effect.logDebug),
          Effect.orElseSucceed(() => picture)
        )
      })
      return ShownPictures.of({ shown })
    })
  )
}
