import { Context, Effect, Layer, Semaphore } from "effect"
import type { Picture } from "./Attachments.ts"
import { loadSharp, opaquePixels } from "./OpaquePixels.ts"

/** A decoded picture has 4 bytes a pixel; 50 million pixels are more than an 8K screen. */
const largestInput = 50_000_000

/** Pictures of at most this width, in pixels, are previews. */
const previewWidth = 640

/** Pictures for eyes: small, and without the alpha channel, which makes screenshots invisible in browsers. */
export class ShownPictures extends Context.Service<
  ShownPictures,
  {
    /** The picture as WebP, at most `width` pixels wide; as it is where it can't be decoded, or `sharp` is not installed. */
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
        if (loaded === undefined) return picture
        const scaled = Effect.gen(function* () {
          const { data, info } = yield* opaquePixels(loaded, picture.bytes, largestInput)
          const resized = loaded(data, { raw: info }).resize({ width, withoutEnlargement: true })
          const bytes = yield* Effect.tryPromise(() =>
            resized
              .webp(width <= previewWidth ? { quality: 80, effort: 2 } : { nearLossless: true, quality: 80, effort: 1 })
              .toBuffer()
          )
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
