import { type Fields, fieldsOf, mostParts, wordsIn } from "./AnswerStream.ts"
import { type Hear, unheard } from "./LanguageModel.ts"

const list = (value: unknown): ReadonlyArray<unknown> => (Array.isArray(value) ? value : [])

/**
 * Puts the chunks of https://ai.google.dev/api/generate-content#method:-models.streamgeneratecontent together. A text in pieces becomes
 * one part, to which its signature belongs, also where that comes with an empty text at the end.
 */
export class GoogleStream {
  private chunks = 0
  private hasCandidates = false
  private answered: Fields = {}
  private candidate: Fields = {}
  private readonly parts: Array<Fields> = []
  private readonly hear: Hear

  constructor(hear: Hear = unheard) {
    this.hear = hear
  }

  add(given: unknown): void {
    const { candidates, ...chunk } = fieldsOf(given)
    this.chunks += 1
    this.hasCandidates ||= candidates !== undefined
    this.answered = { ...this.answered, ...withoutAbsent(chunk) }
    const { content, ...candidate } = fieldsOf(list(candidates)[0])
    this.candidate = { ...this.candidate, ...withoutAbsent(candidate) }
    for (const [index, part] of list(fieldsOf(content).parts).entries()) {
      this.extend(withoutAbsent(fieldsOf(part)), index === 0)
    }
  }

  /** Undefined before the end: its last chunk gives the reason, or says why there is none. Chunks of another shape are answered as they are. */
  answer(): unknown {
    if (this.chunks > 0 && !this.hasCandidates && this.answered.promptFeedback === undefined) return this.answered
    if (this.candidate.finishReason === undefined && this.answered.promptFeedback === undefined) return undefined
    const isCandidate = Object.keys(this.candidate).length > 0
    const content = { role: "model", parts: this.parts }
    return { ...this.answered, candidates: isCandidate ? [{ ...this.candidate, content }] : [] }
  }

  /** Texts in one chunk are parts of their own; the first of a chunk goes on with the last of the chunk before. */
  private extend(part: Fields, isFirst: boolean): void {
    this.hear(part.thought === true ? "thinking" : "text", wordsIn(part.text))
    const last = this.parts.at(-1)
    const goesOn =
      last !== undefined &&
      (isFirst || part.text === "") &&
      typeof last.text === "string" &&
      typeof part.text === "string" &&
      (last.thought === true) === (part.thought === true) &&
      last.thoughtSignature === undefined
    if (goesOn) this.parts[this.parts.length - 1] = { ...last, ...part, text: `${last.text}${part.text}` }
    else if (this.parts.length < mostParts) this.parts.push(part)
  }
}

const withoutAbsent = (fields: Fields): Fields =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined && value !== null))

/** Gateways answer with JSON although they are asked to stream, or with a list of chunks: the SDK reads events only. */
export const asEventStream =
  (fetch: typeof globalThis.fetch): typeof globalThis.fetch =>
  async (input, init) => {
    const response = await fetch(input, init)
    const isAsked = String(input instanceof Request ? input.url : input).includes(":streamGenerateContent")
    if (!isAsked || !response.ok || /event-stream/i.test(response.headers.get("content-type") ?? "")) return response
    const answer: unknown = JSON.parse(await response.text())
    const chunks = Array.isArray(answer) ? answer : [answer]
    const { headers, status } = response
    return new Response(chunks.map((chunk) => `data: ${JSON.stringify(chunk)}\n\n`).join(""), { status, headers })
  }
