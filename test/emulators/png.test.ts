import { describe, expect, it } from "vitest"
import { goldenScreenshot } from "./golden.ts"
import { decodePng, encodePng, rgbAt, sameRgb } from "./png.ts"

describe("png", () => {
  it("decodes what it encodes, the alpha channel included", () => {
    const rgba = Uint8Array.from({ length: 7 * 5 * 4 }, (_, i) => (i * 37) & 255)
    const decoded = decodePng(encodePng({ width: 7, height: 5, rgba }))
    expect([decoded.width, decoded.height]).toEqual([7, 5])
    expect(Buffer.from(decoded.rgba).equals(rgba)).toBe(true)
    expect(rgbAt(decoded, 1, 0)).toEqual([148, 185, 222])
  })

  it("decodes the filtered RGB picture of the recordings", () => {
    const picture = decodePng(Buffer.from(goldenScreenshot, "base64"))
    expect([picture.width, picture.height]).toEqual([4, 4])
    const pixels = Array.from({ length: 16 }, (_, i) => rgbAt(picture, i % 4, i >> 2))
    expect(new Set(pixels.map(String))).toEqual(new Set(["128,128,128"]))
  })

  it("compares pictures without their alpha", () => {
    const picture = (alpha: number, red: number) => ({ width: 1, height: 1, rgba: Uint8Array.of(red, 2, 3, alpha) })
    expect(sameRgb(picture(0, 1), picture(255, 1))).toBe(true)
    expect(sameRgb(picture(0, 1), picture(0, 2))).toBe(false)
  })

  it("refuses what is no PNG, or a damaged one", () => {
    expect(() => decodePng(Buffer.from("GIF89a"))).toThrow("not a PNG")
    const damaged = Buffer.from(goldenScreenshot, "base64")
    damaged.writeUInt8(damaged.readUInt8(20) ^ 1, 20)
    expect(() => decodePng(damaged)).toThrow("checksum")
  })
})
