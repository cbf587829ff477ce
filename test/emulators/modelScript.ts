import { isRecord } from "./httpServer.ts"
import { completedReply, isReply, type Scripted } from "./modelReplies.ts"

/** Which reply comes next. */

/** A string or RegExp is looked for in the text of the first user message. */
export type Match<Body> = string | RegExp | ((request: Body) => boolean)

export class Script<Body> {
  readonly #bound: Array<{ readonly match: Match<Body>; readonly replies: Array<Scripted<Body>> }> = []
  readonly #queue: Array<Scripted<Body>> = []
  readonly #firstUserText: (request: Body) => string
  readonly #initial: Scripted<Body>
  #fallback: Scripted<Body>

  constructor(firstUserText: (request: Body) => string, fallback: Scripted<Body> = completedReply) {
    this.#firstUserText = firstUserText
    this.#initial = fallback
    this.#fallback = fallback
  }

  enqueue(replies: ReadonlyArray<Scripted<Body>>): void {
    this.#queue.push(...replies)
  }

  bind(match: Match<Body>, replies: ReadonlyArray<Scripted<Body>>): void {
    this.#bound.push({ match, replies: [...replies] })
  }

  setDefault(reply: Scripted<Body>): void {
    this.#fallback = reply
  }

  /** Takes the next reply: of the first matching script that has one, else of the queue, else the default. */
  next(request: Body): Scripted<Body> {
    const own = this.#bound.find(({ match, replies }) => replies.length > 0 && this.#matches(match, request))
    return own?.replies.shift() ?? this.#queue.shift() ?? this.#fallback
  }

  #matches(match: Match<Body>, request: Body): boolean {
    if (typeof match === "function") return match(request)
    const text = this.#firstUserText(request)
    return typeof match === "string" ? text.includes(match) : match.test(text)
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
