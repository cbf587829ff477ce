import type { Part } from "@google/genai"
import { pieces } from "./eventStream.ts"
import { type completeAnswer, errorBody } from "./googleReplies.ts"
import type { ErrorBody } from "./modelReplies.ts"

/**
 * An answer of streamGenerateContent with alt=sse: each chunk is an answer with a part of the parts
 * (https://ai.google.dev/api/generate-content#method:-models.streamgeneratecontent). A text's signature may come with an empty text at its
 * end (https://ai.google.dev/gemini-api/docs/thought-signatures).
 */

type Answer = ReturnType<typeof completeAnswer>["answer"]

export const streamFrames = ({ candidates, usageMetadata, ...rest }: Answer): ReadonlyArray<string> => {
  const [candidate] = candidates
  if (candidate === undefined) return []
  const { content, finishReason, index } = candidate
  const parts: ReadonlyArray<Part> = "parts" in content ? (content.parts ?? []) : []
  const { candidatesTokenCount: _, ...begun } = usageMetadata
  const chunk = (inOne: ReadonlyArray<Part>) =>
    line({ candidates: [{ content: { parts: inOne, role: "model" }, index }], usageMetadata: begun, ...rest })
  return [
    ...chunksOf(parts).map(chunk),
    line({ candidates: [{ content: { role: "model" }, finishReason, index }], usageMetadata, ...rest })
  ]
}

/** Belief: a text that follows another one begins in the chunk in which that one ends; else nobody could tell them apart. */
const chunksOf = (parts: ReadonlyArray<Part>): ReadonlyArray<ReadonlyArray<Part>> => {
  const chunks: Array<ReadonlyArray<Part>> = []
  for (const [i, part] of parts.entries()) {
    const [first, ...others] = inPieces(part)
    const isAfterText = typeof parts[i - 1]?.text === "string" && typeof part.text === "string"
    if (first !== undefined) chunks.push(isAfterText ? [...(chunks.pop() ?? []), first] : [first])
    chunks.push(...others.map((other) => [other]))
  }
  return chunks
}

const inPieces = (part: Part): ReadonlyArray<Part> => {
  const { text, thoughtSignature, ...rest } = part
  if (text === undefined || text === "") return [part]
  return [
    ...pieces(text).map((piece) => ({ ...rest, text: piece })),
    ...(thoughtSignature === undefined ? [] : [{ ...rest, text: "", thoughtSignature }])
  ]
}

/** Google's lines end with CRLF. */
const line = (data: unknown): string => `data: ${JSON.stringify(data)}\r\n\r\n`

export const errorFrame = (error: ErrorBody): string => line(errorBody(error, 500))
