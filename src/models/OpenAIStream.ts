import { Predicate } from "effect"
import { type Assembly, type Fields, fieldsOf, mostParts, wordsIn } from "./AnswerStream.ts"
import { type Hear, unheard } from "./LanguageModel.ts"

/**
 * The events of https://developers.openai.com/api/reference/resources/responses/streaming-events. The last one has the whole answer; items
 * are kept for endpoints that leave them out of it.
 */
export class OpenAIStream implements Assembly {
  private readonly items = new Map<number, unknown>()
  private response: Fields | undefined
  private summary: unknown
  private readonly hear: Hear

  constructor(hear: Hear = unheard) {
    this.hear = hear
  }

  add(given: unknown): boolean {
    const event = fieldsOf(given)
    const isFailed = event.type === "error" || Predicate.isObject(event.error)
    if (isFailed) this.response = failed(Predicate.isObject(event.error) ? fieldsOf(event.error) : event)
    else this.take(event)
    return isFailed
  }

  private take(event: Fields): void {
    switch (event.type) {
      case "response.output_text.delta":
      case "response.refusal.delta":
        this.hear("text", wordsIn(event.delta))
        return
      case "response.reasoning_summary_part.added":
        // Parts are joined by an empty line, as in the stored message.
        this.hear("thinking", event.item_id === this.summary ? "\n\n" : "")
        this.summary = event.item_id
        return
      case "response.reasoning_summary_text.delta":
        this.hear("thinking", wordsIn(event.delta))
        return
      case "response.output_item.done":
        if (this.items.size < mostParts) this.items.set(Number(event.output_index ?? this.items.size), event.item)
        return
      case "response.completed":
      case "response.incomplete":
      case "response.failed":
        this.response = fieldsOf(event.response)
        return
    }
  }

  /** Says nothing: the end is an event. */
  done(): void {}

  answer(): unknown {
    if (this.response === undefined) return undefined
    const { output } = this.response
    const items = [...this.items].sort(([a], [b]) => a - b).map(([, item]) => item)
    return Array.isArray(output) && output.length >= items.length ? this.response : { ...this.response, output: items }
  }
}

/** An error within a stream, as the answer that failed by it. */
const failed = ({ code, message, type }: Fields): Fields => ({
  status: "failed",
  output: [],
  error: { code: wordsIn(code) || wordsIn(type) || "server_error", message: wordsIn(message) || "the answer failed" }
})
