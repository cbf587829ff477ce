import { readFileSync } from "node:fs"
import { assert, describe, it, layer } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { textOf } from "../../src/agent/FileContent.ts"
import type { ReadAnswer } from "../emulators/desktopFiles.ts"
import type { Scripted } from "../emulators/modelReplies.ts"
import { encodePng } from "../emulators/png.ts"
import { createTask, messagesOf, refusals, reset, Stage, untilStatus } from "../support/Stage.ts"

/** What a model is shown of a file that it reads (docs/contract/agent.md, "Tool results"). The emulator refuses what is not what it says. */

const noise = (width: number, height: number): Buffer => {
  const rgba = new Uint8Array(width * height * 4)
  let state = 1
  for (let index = 0; index < rgba.length; index++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    rgba[index] = state >>> 24
  }
  return encodePng({ width, height, rgba })
}
const plain = (width: number, height: number): Buffer =>
  encodePng({ width, height, rgba: new Uint8Array(width * height * 4).fill(255) })

const gif = Buffer.from("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7", "base64")
const zip = (...names: ReadonlyArray<string>): Buffer =>
  Buffer.concat([Buffer.from("504b030414000600080000002100", "hex"), Buffer.from(names.join("\0\x01"), "latin1")])

const contents: Readonly<Record<string, Buffer>> = {
  "/photo.png": plain(3, 2),
  "/wrong.txt": gif,
  "/report.pdf": Buffer.from("%PDF-1.4\n%âãÏÓ\n", "latin1"),
  "/notes.txt": Buffer.from("plain words"),
  "/unicode.csv": Buffer.concat([Buffer.from([0xff, 0xfe]), Buffer.from("Größe;größer", "utf16le")]),
  "/latin.ini": Buffer.from("Gr\xf6\xdfe", "latin1"),
  "/sheet.xlsx": zip("[Content_Types].xml", "xl/workbook.xml"),
  "/letter.docx": zip("[Content_Types].xml", "word/document.xml"),
  "/all.zip": zip("a.txt"),
  "/program": Buffer.from("7f454c4602010100000000000000000003003e00", "hex"),
  "/empty.txt": Buffer.alloc(0),
  "/large.png": noise(1400, 1000),
  "/wide.png": plain(4000, 1000),
  "/broken.png": Buffer.concat([plain(9000, 9).subarray(0, 60)])
}

const mediaTypes: Readonly<Record<string, string>> = { png: "image/png", txt: "text/plain", pdf: "application/pdf" }

const readFile = (path: string): ReadAnswer => {
  const content = contents[path] ?? Buffer.alloc(0)
  return {
    success: true,
    data: content.toString("base64"),
    name: path.slice(1),
    size: content.length,
    mediaType: mediaTypes[path.split(".").at(-1) ?? ""] ?? "application/octet-stream"
  }
}

const read = (path: string): Scripted => ({
  content: [{ type: "tool_use", id: `t${path.replace(/\W/g, "_")}`, name: "computer_read_file", input: { path } }]
})

const Shown = Schema.Array(
  Schema.Struct({
    type: Schema.String,
    text: Schema.optionalKey(Schema.String),
    source: Schema.optionalKey(
      Schema.Struct({ type: Schema.String, media_type: Schema.optionalKey(Schema.String), data: Schema.String })
    )
  })
)
const Messages = Schema.Array(Schema.Struct({ content: Schema.Json }))
const decodeMessages = Schema.decodeUnknownSync(Messages)
const decodeResults = Schema.decodeUnknownSync(
  Schema.Array(Schema.Struct({ type: Schema.String, content: Schema.optionalKey(Shown) }))
)

/** What the newest turn shows after the file was read, without the clock. */
const shownOf = Effect.fnUntraced(function* (path: string) {
  yield* reset
  const { model } = yield* Stage
  model.enqueue(read(path))
  const id = yield* createTask("read")
  yield* untilStatus(id, "COMPLETED")
  assert.deepStrictEqual(yield* refusals, [])
  const stored = JSON.stringify(yield* messagesOf(id))
  assert.include(stored, `"type":"document"`)
  const last = decodeMessages(model.requests.at(-1)?.body.messages).at(-1)
  const results = decodeResults(last?.content)
  return (results[0]?.content ?? []).filter(({ text = "" }) => !text.startsWith("(It is"))
})

const picture = (mediaType: string, path: string) => [
  { type: "image", source: { type: "base64", media_type: mediaType, data: contents[path]?.toString("base64") } }
]
const words = (data: string) => ({ type: "text", media_type: "text/plain", data })

layer(Stage.layer({}, { readFile }), { timeout: "60 seconds", excludeTestServices: true })(
  "a file that is read",
  (test) => {
    test.effect("is a picture where its bytes are one, whatever its name says", () =>
      Effect.gen(function* () {
        assert.deepStrictEqual<unknown>(yield* shownOf("/photo.png"), picture("image/png", "/photo.png"))
        assert.deepStrictEqual<unknown>(yield* shownOf("/wrong.txt"), picture("image/gif", "/wrong.txt"))
      })
    )

    test.effect("is a document where it is a PDF", () =>
      Effect.gen(function* () {
        const [shown] = yield* shownOf("/report.pdf")
        assert.deepStrictEqual([shown?.type, shown?.source?.media_type], ["document", "application/pdf"])
      })
    )

    test.effect("is text in its encoding", () =>
      Effect.gen(function* () {
        assert.deepStrictEqual<unknown>((yield* shownOf("/notes.txt"))[0]?.source, words("plain words"))
        assert.deepStrictEqual<unknown>((yield* shownOf("/unicode.csv"))[0]?.source, words("Größe;größer"))
        assert.deepStrictEqual<unknown>((yield* shownOf("/latin.ini"))[0]?.source, words("Größe"))
        assert.deepStrictEqual<unknown>((yield* shownOf("/empty.txt"))[0]?.source, words("(empty)"))
      })
    )

    test.effect("is a sentence with name, kind and size where it is neither", () =>
      Effect.gen(function* () {
        const sentence = (path: string) =>
          Effect.map(shownOf(path), (shown) => {
            assert.deepStrictEqual(
              shown.map(({ type }) => type),
              ["text"]
            )
            return shown[0]?.text ?? ""
          })
        assert.match(yield* sentence("/sheet.xlsx"), /^sheet\.xlsx is an Excel workbook .*\d+ bytes/)
        assert.match(yield* sentence("/letter.docx"), /^letter\.docx is a Word document/)
        assert.match(yield* sentence("/all.zip"), /^all\.zip is a ZIP archive/)
        assert.match(yield* sentence("/program"), /^program is a binary file .*20 bytes/)
      })
    )

    test.effect("is scaled where it is a picture larger than the model takes, and the model is told by how much", () =>
      Effect.gen(function* () {
        const [large] = yield* shownOf("/large.png")
        assert.isAbove(contents["/large.png"]?.toString("base64").length ?? 0, 5 * 1024 * 1024)
        assert.strictEqual(large?.type, "image")
        const [wide, note] = yield* shownOf("/wide.png")
        assert.strictEqual(wide?.type, "image")
        assert.match(note?.text ?? "", /4000 x 1000 pixels.*multiply coordinates read from it by 2\./)
        const [broken] = yield* shownOf("/broken.png")
        assert.match(
          broken?.text ?? "",
          /A picture of 9000 x 9 pixels is larger than this model takes, and is left out/
        )
      })
    )
  }
)

describe("the text of a file", () => {
  const Words = Schema.String.check(Schema.isMinLength(1), Schema.isPattern(/^[\t\n\r\x20-\x7e\xa0-\u07ff]+$/))

  it.prop("is read in UTF-8 and in UTF-16 with its mark", [Words], ([given]) => {
    assert.strictEqual(textOf(Buffer.from(given, "utf8")), given)
    assert.strictEqual(textOf(Buffer.concat([Buffer.from([0xff, 0xfe]), Buffer.from(given, "utf16le")])), given)
    const bigEndian = Buffer.from(given, "utf16le").swap16()
    assert.strictEqual(textOf(Buffer.concat([Buffer.from([0xfe, 0xff]), bigEndian])), given)
  })

  it("of Latin letters is read in UTF-16 without a mark, and in Latin-1", () => {
    for (const given of ["Straße", "déjà vu", "a"]) {
      assert.strictEqual(textOf(Buffer.from(given, "utf16le")), given)
      assert.strictEqual(textOf(Buffer.from(given, "utf16le").swap16()), given)
      assert.strictEqual(textOf(Buffer.from(given, "latin1")), given)
    }
  })

  it("is none in a program", () => {
    assert.isUndefined(textOf(readFileSync(process.execPath).subarray(0, 100_000)))
  })
})
