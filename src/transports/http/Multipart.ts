/** A part of a `multipart/form-data` body (RFC 7578): a field, or a file if it has a file's name. */
export interface Part {
  readonly name: string
  readonly fileName: string | undefined
  /** As the client states it. */
  readonly contentType: string | undefined
  readonly bytes: Uint8Array
}

/** Far above the files that a task can have; a body of empty parts must not keep us busy. */
const mostParts = 20_000
const longestHead = 16 * 1024

/** The parts of a body, in order; undefined where it is not such a body or has too many parts. */
export const partsOf = (given: Uint8Array, boundary: string): ReadonlyArray<Part> | undefined => {
  const body = Buffer.from(given.buffer, given.byteOffset, given.byteLength)
  const delimiter = Buffer.from(`\r\n--${boundary}`, "latin1")
  const first = delimiter.subarray(2)
  const parts: Array<Part> = []
  // What comes before the first delimiter is for readers that don't know the format.
  let at = body.subarray(0, first.length).equals(first) ? first.length : after(body, delimiter, 0)
  while (at !== undefined && parts.length <= mostParts) {
    if (body.toString("latin1", at, at + 2) === "--") return parts
    const headAt = after(body, Buffer.from("\r\n"), at)
    if (headAt === undefined || body.toString("latin1", at, headAt).trim() !== "") return undefined
    // A part without headers has no name.
    const contentAt = after(body.subarray(0, headAt + longestHead), Buffer.from("\r\n\r\n"), headAt)
    if (contentAt === undefined) return undefined
    const next = after(body, delimiter, contentAt - 2)
    const head = headOf(body.toString("utf8", headAt, contentAt))
    if (next === undefined || head === undefined) return undefined
    parts.push({ ...head, bytes: body.subarray(contentAt, Math.max(contentAt, next - delimiter.length)) })
    at = next
  }
  return undefined
}

/** The position after the next occurrence. */
const after = (body: Buffer, wanted: Buffer, from: number): number | undefined => {
  const found = body.indexOf(wanted, from)
  return found === -1 ? undefined : found + wanted.length
}

const headOf = (head: string): Omit<Part, "bytes"> | undefined => {
  const disposition = /^content-disposition:\s*form-data\s*;(.*)$/im.exec(head)?.[1]
  const name = parameter(disposition, "name")
  if (name === undefined) return undefined
  const contentType = /^content-type:(.*)$/im.exec(head)?.[1]?.trim()
  return { name, fileName: parameter(disposition, "filename"), contentType }
}

/** Browsers write quotes and line breaks in names percent-encoded (WHATWG, multipart/form-data), others put a backslash before quotes. */
const parameter = (disposition: string | undefined, name: string): string | undefined =>
  new RegExp(`(?:^|[;\\s])${name}="((?:\\\\.|[^"\\\\])*)"`, "i")
    .exec(disposition ?? "")?.[1]
    ?.replaceAll('\\"', '"')
    .replaceAll(/%22|%0d|%0a/gi, decodeURIComponent)
