import { hash } from "node:crypto"

/** The weak validator that the original computes: length in bytes, in hex, and the start of the text's SHA-1. */
export const weakETag = (content: string | Uint8Array, bytes: number): string =>
  `W/"${bytes.toString(16)}-${hash("sha1", content, "base64").slice(0, 27)}"`

/** Whether `If-None-Match` names the entity tag, by weak comparison (RFC 9110, sections 8.8.3.2 and 13.1.2). */
export const matchesETag = (ifNoneMatch: string, etag: string): boolean => {
  if (ifNoneMatch.trim() === "*") return true
  const opaque = etag.replace(/^W\//, "")
  return [...ifNoneMatch.matchAll(/"[^"]*"/g)].some(([tag]) => tag === opaque)
}
