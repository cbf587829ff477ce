import { MultipartParser } from "effect/http"

/** A part of a `multipart/form-data` body (RFC 7578): a field, or a file if it has a file's name. */
export interface Part {
  readonly name: string
  readonly fileName: string | undefined
  /** As the client states it; empty: not stated. */
  readonly contentType: string
  readonly bytes: Buffer
}

/** Far above the files that a task can have: a body of empty parts must not take seconds. */
const maxParts = 20_000

/** The parts of a body, in order; undefined where the body is malformed or has too many parts. */
export const partsOf = (body: Uint8Array, contentType: string): ReadonlyArray<Part> | undefined => {
  const parts: Array<Part> = []
  let isValid = true
  const parser = MultipartParser.make({
    headers: { "content-type": contentType },
    maxParts,
    isFile: () => true,
    onField: () => undefined,
    onFile: (info) => {
      if (info.contentDisposition !== "form-data") isValid = false
      const chunks: Array<Uint8Array> = []
      return (chunk) => {
        if (chunk !== null) return void chunks.push(chunk)
        const { filename, headers, name } = info
        const stated = headers["content-type"] === undefined ? "" : info.contentType
        const fileName = filename === undefined ? undefined : unescaped(filename)
        parts.push({ name: unescaped(name), fileName, contentType: stated, bytes: Buffer.concat(chunks) })
      }
    },
    onError: () => {
      isValid = false
    },
    onDone: () => undefined
  })
  parser.write(body)
  parser.end()
  return isValid ? parts : undefined
}

/** Browsers write quotes and line breaks in names percent-encoded (WHATWG, multipart/form-data), others put a backslash before quotes. */
const unescaped = (name: string): string => name.replaceAll('\\"', '"').replaceAll(/%22|%0d|%0a/gi, decodeURIComponent)
