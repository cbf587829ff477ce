import type { MessageDelta } from "../domain/MessageDelta.ts"

type Piece = Pick<MessageDelta, "kind" | "text">

/**
 * Bytes of a piece's text as JSON. A notification of PostgreSQL takes less than 8000 (https://www.postgresql.org/docs/current/sql-notify.html),
 * of which a part is for what is beside the text.
 */
const largestText = 7_000

/** Characters of which no text is longer than that as JSON: each takes 6 bytes at most (`\u0000`). */
const surelyFitting = Math.floor(largestText / 6)

/** As few pieces as what was heard makes: of one kind each, and small enough to be told to other replicas. */
export const piecesOf = (heard: ReadonlyArray<Piece>): ReadonlyArray<Piece> => {
  const pieces: Array<{ kind: Piece["kind"]; texts: Array<string> }> = []
  for (const { kind, text } of heard) {
    const last = pieces.at(-1)
    if (last?.kind === kind) last.texts.push(text)
    else pieces.push({ kind, texts: [text] })
  }
  return pieces.flatMap(({ kind, texts }) => fitting(texts.join("")).map((text) => ({ kind, text })))
}

const fitting = (text: string): ReadonlyArray<string> => {
  if (text.length <= surelyFitting || Buffer.byteLength(JSON.stringify(text)) <= largestText) return [text]
  const middle = Math.floor(text.length / 2)
  // Not between the two halves of a character.
  const cut = isHighSurrogate(text.charCodeAt(middle - 1)) ? middle - 1 : middle
  return [...fitting(text.slice(0, cut)), ...fitting(text.slice(cut))]
}

const isHighSurrogate = (code: number): boolean => code >= 0xd800 && code < 0xdc00
