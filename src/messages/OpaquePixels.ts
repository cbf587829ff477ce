import { Effect } from "effect"

export type Sharp = typeof import("sharp")["default"]

/** Loads `sharp` when first used, once. It is an optional dependency: undefined where it is not installed. */
export const loadSharp = Effect.tryPromise(() => import("sharp")).pipe(
  Effect.map(({ default: sharp }): Sharp | undefined => sharp),
  Effect.orElseSucceed(() => undefined),
  Effect.cached
)

/**
 * The pixels of a picture without its alpha channel, which desktops leave at 0 (docs/contract/desktop.md). In a step of its own: a resize
 * multiplies the colours by alpha first. Fails where the picture can't be decoded, or has more than `mostPixels`.
 */
export const opaquePixels = (sharp: Sharp, bytes: Uint8Array, mostPixels: number) =>
  Effect.tryPromise(() =>
    sharp(bytes, { limitInputPixels: mostPixels, pages: 1 }).removeAlpha().raw().toBuffer({ resolveWithObject: true })
  )

export type Pixels = Effect.Success<ReturnType<typeof opaquePixels>>
