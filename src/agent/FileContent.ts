import {
  type ContentBlock,
  type DocumentBlock,
  type ImageBlock,
  type TextBlock,
  type ToolResultContent,
  text
} from "../domain/ContentBlock.ts"
import type { Entry } from "../domain/Conversation.ts"
import { filePicture, pictureType } from "./Pictures.ts"

/** What a file of the desktop is shown to a model as, by what its bytes are. The type that the desktop names goes by the file's ending, and may be wrong. */

const startsWith = (bytes: Buffer, hex: string): boolean => bytes.toString("hex", 0, hex.length / 2) === hex

/** Bytes in which a reader of PDF looks for its head (ISO 32000-1, annex H.3, note 13). */
const isPdf = (bytes: Buffer): boolean => bytes.subarray(0, 1024).includes("%PDF-")

/** Office files are ZIP archives with a folder named for their program, or say their type in the first entry (OpenDocument). */
const officeFolders = { "word/": "a Word document", "xl/": "an Excel workbook", "ppt/": "a PowerPoint presentation" }

const kindOfZip = (bytes: Buffer): string => {
  if (bytes.subarray(30, 200).includes("mimetypeapplication/vnd.oasis.opendocument")) return "an OpenDocument file"
  const office = Object.entries(officeFolders).find(([folder]) => bytes.includes(folder))
  return office === undefined || !bytes.includes("[Content_Types].xml") ? "a ZIP archive" : office[1]
}

/** What a file is that can't be shown. */
const kindOfBinary = (bytes: Buffer): string => {
  if (startsWith(bytes, "504b0304") || startsWith(bytes, "504b0506")) return kindOfZip(bytes)
  if (startsWith(bytes, "d0cf11e0a1b11ae1")) return "an Office file of the old kind"
  if (startsWith(bytes, "1f8b") || startsWith(bytes, "425a68") || startsWith(bytes, "fd377a585a00")) return "an archive"
  if (startsWith(bytes, "377abcaf271c") || startsWith(bytes, "526172211a07")) return "an archive"
  return "a binary file"
}

/** C0 controls that texts have: tab, line feed, form feed, carriage return, and escape, as in the output of terminals. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
const isReadable = (words: string): boolean => !/[\0-\x08\x0b\x0e-\x1a\x1c-\x1f\x7f]/.test(words)

const decoded = (encoding: "utf-8" | "utf-16le" | "utf-16be" | "windows-1252", bytes: Buffer): string | undefined => {
  try {
    const words = new TextDecoder(encoding, { fatal: true }).decode(bytes)
    return isReadable(words) ? words : undefined
  } catch {
    return undefined
  }
}

/** The NUL bytes of UTF-16 without a byte order mark stand at the odd places (little-endian) or the even ones: most texts have Latin letters. */
const utf16Of = (bytes: Buffer): "utf-16le" | "utf-16be" | undefined => {
  const head = bytes.subarray(0, 4096 & ~1)
  const zeros = [0, 0]
  head.forEach((byte, index) => {
    if (byte === 0) zeros[index % 2] = (zeros[index % 2] ?? 0) + 1
  })
  const [even = 0, odd = 0] = zeros
  if (bytes.length % 2 === 1 || Math.max(even, odd) < head.length / 8 || Math.min(even, odd) > 0) return undefined
  return odd > even ? "utf-16le" : "utf-16be"
}

/** C1 controls, which are letters in no text: windows-1252 has them where it has no character. */
const hasC1 = (words: string): boolean => /[\x80-\x9f]/.test(words)

/** The text that the bytes stand for: UTF-8, UTF-16, or else Latin-1 as Windows extends it; undefined for what is no text. */
export const textOf = (bytes: Buffer): string | undefined => {
  if (startsWith(bytes, "fffe")) return decoded("utf-16le", bytes)
  if (startsWith(bytes, "feff")) return decoded("utf-16be", bytes)
  const utf16 = utf16Of(bytes)
  if (utf16 !== undefined) return decoded(utf16, bytes)
  const utf8 = decoded("utf-8", bytes)
  if (utf8 !== undefined) return utf8
  const latin = decoded("windows-1252", bytes)
  return latin === undefined || hasC1(latin) ? undefined : latin
}

/** Characters of a text that is shown: as many tokens as a fifth of a large window. */
const longestText = 400_000

const shownText = (block: DocumentBlock, words: string): ReadonlyArray<ToolResultContent> => {
  const shown = words.slice(0, longestText)
  const data = Buffer.from(shown, "utf8").toString("base64")
  const document: DocumentBlock = { ...block, source: { data, type: "base64", media_type: "text/plain" } }
  return shown.length === words.length
    ? [document]
    : [document, text(`(Only the first ${longestText} of its ${words.length} characters are shown.)`)]
}

const inWords = ({ name = "The file", size, source }: DocumentBlock, bytes: Buffer): TextBlock =>
  text(
    `${name} is ${kindOfBinary(bytes)} (${source.media_type}, ${size ?? bytes.length} bytes), which can't be shown here. Open it with an application of the desktop.`
  )

const shownDocument = (block: DocumentBlock): ReadonlyArray<ToolResultContent> => {
  const { data } = block.source
  const bytes = Buffer.from(data, "base64")
  const picture = pictureType(bytes)
  if (picture !== undefined) return [filePicture(data, picture)]
  if (isPdf(bytes)) return [{ ...block, source: { data, type: "base64", media_type: "application/pdf" } }]
  const words = textOf(bytes)
  return words === undefined ? [inWords(block, bytes)] : shownText(block, words)
}

/** Base64 characters of the first bytes of a picture, by which its type is told. */
const headLength = 64

/** A picture under the type that it has: a desktop's pictures are stored as PNG, whatever they are. */
const shownPicture = (block: ImageBlock): ImageBlock | TextBlock => {
  const { data, media_type } = block.source
  const type = pictureType(Buffer.from(data.slice(0, headLength), "base64"))
  if (type === undefined) return text(`(A picture of type ${media_type} that can't be shown.)`)
  return type === media_type ? block : { type: "image", source: { data, type: "base64", media_type: type } }
}

const shownItem = (item: ToolResultContent): ReadonlyArray<ToolResultContent> => {
  if (item.type === "text") return [item]
  return item.type === "document" ? shownDocument(item) : [shownPicture(item)]
}

const shownBlock = (block: ContentBlock): ReadonlyArray<ContentBlock> => {
  switch (block.type) {
    case "image":
    case "document":
      return shownItem(block)
    case "tool_result":
      return [{ ...block, content: block.content.flatMap(shownItem) }]
    case "user_action":
      return [
        {
          ...block,
          content: block.content.flatMap((item) => {
            const shown = item.type === "image" ? shownPicture(item) : item
            return shown.type === "text" ? [] : [shown]
          })
        }
      ]
    default:
      return [block]
  }
}

const shownEntries = new WeakMap<Entry, Entry>()

/**
 * The entries as models can read them: each file a picture, a PDF, a text in UTF-8, or a sentence that says what it is. What is made of an
 * entry is the same object each time, whose digests are known.
 */
export const readable = (entries: ReadonlyArray<Entry>): ReadonlyArray<Entry> =>
  entries.map((entry) => {
    const shown = shownEntries.get(entry) ?? { ...entry, content: entry.content.flatMap(shownBlock) }
    shownEntries.set(entry, shown)
    return shown
  })
