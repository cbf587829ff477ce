import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Effect, Schema } from "effect"
import { base64Decoder, decodedLength } from "../../src/messages/Base64.ts"

const awkward = Schema.Literals(["A", "z", "09+/", "-_", "QUJD", " ", "\n", "é", "=", "AAAAAAAA"])

describe("base64 in pieces", () => {
  it.effect.prop(
    "base64 in pieces decodes to the bytes of the whole",
    [
      Arbitrary.array(Arbitrary.schema(awkward)),
      Arbitrary.schema(Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 5 })))
    ],
    ([texts, size]) =>
      Effect.sync(() => {
        const bytes = Buffer.from(texts.join(""))
        const count = Math.max(1, Math.ceil(bytes.length / (size * 4)))
        const decode = base64Decoder()
        const decoded = Array.from({ length: count }, (_, index) =>
          decode(bytes.subarray(index * size * 4, (index + 1) * size * 4), index === count - 1)
        )
        assert.strictEqual(
          Buffer.concat(decoded).toString("hex"),
          Buffer.from(bytes.toString("latin1"), "base64").toString("hex"),
          bytes.toString()
        )
      })
  )

  it.effect.prop(
    "the length of decoded base64 follows from its end",
    [Arbitrary.schema(Schema.Uint8Array)],
    ([bytes]) =>
      Effect.sync(() => {
        const text = Buffer.from(bytes).toString("base64")
        assert.strictEqual(decodedLength(text.length, text.slice(-4)), bytes.length)
      })
  )

  it("base64 that is not padded, or ends with other characters, has no known length", () => {
    assert.strictEqual(decodedLength(5, "AAAA"), undefined)
    assert.strictEqual(decodedLength(8, "AA=A"), undefined)
    assert.strictEqual(decodedLength(8, "AAA\n"), undefined)
  })
})
