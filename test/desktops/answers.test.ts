import { assert, describe, it } from "@effect/vitest"
import { Option, Schema } from "effect"
import { boundedJson, storableJson } from "../../src/database/StorableJson.ts"
import {
  answerOf,
  desktopFile,
  messageOf,
  ReadFile,
  reportedAction,
  reportedPicture
} from "../../src/desktop/DesktopAnswers.ts"
import { hostileTexts, pathsIn, textWith } from "../agent/HostileValues.ts"

const file = { success: true, data: "aGk=", name: "a.txt", size: 2, mediaType: "text/plain" }
const decodeFile = Schema.decodeUnknownOption(ReadFile)

const assertBounded = (text: string) => {
  const read = Option.getOrUndefined(decodeFile(answerOf(text)))
  if (read?.success === false) assert.isBelow(messageOf(read.message, "no").length, 1_001)
  if (read?.success !== true) return
  const { mediaType, name, size } = desktopFile(read)
  assert.isTrue(Number.isInteger(size) && size >= 0 && size < 2 ** 31)
  assert.isBelow(name.length, 256)
  assert.match(mediaType, /^[\w.+-]{1,127}\/[\w.+-]{1,127}$/)
}

describe("what a desktop answers", () => {
  it("has bounded fields, or is refused, with hostile values in any place", () => {
    for (const answer of [file, { success: false, message: "no" }]) {
      for (const path of pathsIn(answer)) {
        for (const text of Object.values(hostileTexts)) assertBounded(textWith(answer, path, text))
      }
    }
  })

  it.prop("has bounded fields, or is refused, with any JSON in any place", [Schema.Json, Schema.Int], ([json, at]) => {
    const paths = pathsIn(file)
    assertBounded(textWith(file, paths[Math.abs(at) % paths.length] ?? [], JSON.stringify(json)))
  })

  it.prop("is no JSON where it is any text", [Schema.String], ([text]) => {
    assertBounded(text)
  })
})

describe("what a desktop reports", () => {
  it.prop("can be stored, or is dropped", [Schema.Json], ([json]) => {
    const action = Option.getOrUndefined(reportedAction({ action: "type_text", text: json }))
    assert.strictEqual(storableJson(action), JSON.stringify(action))
    assert.isUndefined(reportedPicture(json))
  })

  it("is dropped where its JSON has more than 1 MB", () => {
    assert.isTrue(Option.isNone(reportedAction({ action: "type_text", text: "x".repeat(1024 * 1024) })))
  })
})

describe("bounded JSON", () => {
  const limits = { depth: 3, values: 100 }

  it.prop(
    "is the JSON itself where that is within the limits and storable",
    [Schema.Array(Schema.Finite)],
    ([numbers]) => {
      const value = numbers.slice(0, 50).map((number) => ({ number: number + 0 }))
      assert.deepStrictEqual(boundedJson(value.slice(0, 30), limits), value.slice(0, 30))
    }
  )

  it("says what is nested too deeply, leaves out what is too much, and replaces what PostgreSQL refuses", () => {
    assert.deepStrictEqual(boundedJson([[[["too deep"]]]], limits), [[["(left out: nested more than 3 levels deep)"]]])
    assert.strictEqual(
      JSON.stringify(
        boundedJson(
          Array.from({ length: 1_000 }, () => 0),
          limits
        )
      ).length,
      199
    )
    assert.deepStrictEqual(boundedJson({ "a\0": ["\ud800", Number.NaN, undefined, new Uint8Array(9)] }, limits), {
      "a\uFFFD": ["\uFFFD", null, null, null]
    })
  })
})
