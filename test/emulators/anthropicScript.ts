import { completedReply, isReply, type Scripted } from "./anthropicReplies.ts"
import type { MessagesRequest } from "./anthropicRequest.ts"
import { isRecord } from "./httpServer.ts"

/** Which reply comes next. */

/** A string or RegExp is looked for in the text of the first user message. */
export type Match = string | RegExp | ((request: MessagesRequest) => boolean)

/** All text of the first user message. */
export const firstUserText = (request: MessagesRequest): string => {
  const content = request.messages[0]?.content ?? ""
  if (typeof content === "string") return content
  return content.flatMap((block) => (block.type === "text" ? [block.text] : [])).join("\n")
}

const matches = (match: Match, request: MessagesRequest): boolean => {
  if (typeof match === "function") return match(request)
  const text = firstUserText(request)
  return typeof match === "string" ? text.includes(match) : match.test(text)
}

export class Script {
  readonly #bound: Array<{ readonly match: Match; readonly replies: Array<Scripted> }> = []
  readonly #queue: Array<Scripted> = []
  readonly #initial: Scripted
  #fallback: Scripted

  constructor(fallback: Scripted = completedReply) {
    this.#initial = fallback
    this.#fallback = fallback
  }

  enqueue(replies: ReadonlyArray<Scripted>): void {
    this.#queue.push(...replies)
  }

  bind(match: Match, replies: ReadonlyArray<Scripted>): void {
    this.#bound.push({ match, replies: [...replies] })
  }

  setDefault(reply: Scripted): void {
    this.#fallback = reply
  }

  /** Takes the next reply: of the first matching script that has one, else of the queue, else the default. */
  next(request: MessagesRequest): Scripted {
    const own = this.#bound.find(({ match, replies }) => replies.length > 0 && matches(match, request))
    return own?.replies.shift() ?? this.#queue.shift() ?? this.#fallback
  }

  pending(): number {
    return this.#bound.reduce((sum, { replies }) => sum + replies.length, this.#queue.length)
  }

  reset(): void {
    this.#bound.length = 0
    this.#queue.length = 0
    this.#fallback = this.#initial
  }

  /**
   * Takes what POST /__script brings: a list of replies, or `{ match?, replies?, default? }`. False when it is neither.
   */
  load(body: unknown): boolean {
    const {
      match,
      replies = [],
      default: fallback
    } = Array.isArray(body) ? { replies: body } : isRecord(body) ? body : {}
    if (!Array.isArray(replies) || !replies.every(isReply)) return false
    if (fallback !== undefined && !isReply(fallback)) return false
    if (typeof match === "string") this.bind(match, replies)
    else this.enqueue(replies)
    if (isReply(fallback)) this.setDefault(fallback)
    return true
  }
}
