/**
 * PostgreSQL's text of a jsonb array, made into the bytes that parsing and printing it again would yield, without doing so: only blanks
 * between tokens go, and numbers get JavaScript's form. Screenshots are long strings, over which this jumps.
 */
export interface CompactArray {
  /** The bytes in pieces, most of them views of what was given. */
  readonly pieces: ReadonlyArray<Uint8Array>
  /** For each element: its `type`, where it is an object with such a text. */
  readonly types: ReadonlyArray<string | undefined>
}

const [quote, backslash, colon, comma, blank] = [0x22, 0x5c, 0x3a, 0x2c, 0x20]
const [openBrace, closeBrace, openBracket, closeBracket] = [0x7b, 0x7d, 0x5b, 0x5d]

const isDigit = (byte: number | undefined): boolean => byte !== undefined && byte >= 0x30 && byte <= 0x39
const isOfNumber = (byte: number | undefined): boolean =>
  isDigit(byte) || byte === 0x2d || byte === 0x2b || byte === 0x2e || byte === 0x45 || byte === 0x65

/** Undefined where only parsing tells: JavaScript puts keys that look like array indices before the others. */
export const compactArray = (given: Uint8Array): CompactArray | undefined => {
  const bytes = Buffer.from(given.buffer, given.byteOffset, given.byteLength)
  const pieces: Array<Uint8Array> = []
  const types: Array<string | undefined> = []
  let from = 0
  let at = 0
  let depth = 0
  let isTypeNext = false
  const cut = (until: number, next: number) => {
    if (until > from) pieces.push(bytes.subarray(from, until))
    from = next
  }
  while (at < bytes.length) {
    const byte = bytes[at]
    if (depth === 1 && byte !== blank && byte !== comma && byte !== closeBracket) types.push(undefined)
    if (byte === quote) {
      const end = endOfString(bytes, at)
      if (bytes[end] === colon) {
        if (isDigit(bytes[at + 1]) && /^\d+$/.test(bytes.toString("latin1", at + 1, end - 1))) return undefined
        isTypeNext = depth === 2 && end - at === 6 && bytes.toString("latin1", at + 1, end - 1) === "type"
      } else {
        if (isTypeNext) types[types.length - 1] = bytes.toString("utf8", at + 1, end - 1)
        isTypeNext = false
      }
      at = end
    } else if (byte === blank) {
      cut(at, at + 1)
      at += 1
    } else if (isDigit(byte) || byte === 0x2d) {
      const begun = at
      while (isOfNumber(bytes[at])) at += 1
      const text = bytes.toString("latin1", begun, at)
      if (!/^-?\d{1,15}$/.test(text)) {
        cut(begun, at)
        pieces.push(Buffer.from(JSON.stringify(Number(text))))
      }
      isTypeNext = false
    } else {
      if (byte === openBrace || byte === openBracket) depth += 1
      if (byte === closeBrace || byte === closeBracket) depth -= 1
      if (byte !== colon) isTypeNext = false
      at += 1
    }
  }
  cut(bytes.length, bytes.length)
  return { pieces, types }
}

/** The position after the string that begins at `start`. */
const endOfString = (bytes: Buffer, start: number): number => {
  let end = bytes.indexOf(quote, start + 1)
  for (;;) {
    let backslashes = 0
    while (bytes[end - 1 - backslashes] === backslash) backslashes += 1
    if (backslashes % 2 === 0) return end + 1
    end = bytes.indexOf(quote, end + 1)
  }
}
