import { Option, Predicate, Schema } from "effect"
import { type Assembly, type Fields, fieldsOf, mostParts, wordsIn } from "./AnswerStream.ts"
import { type Hear, unheard } from "./LanguageModel.ts"

interface Block {
  fields: Fields
  /** The text of a tool's input. */
  json: string
}

const decodeJson = Schema.decodeUnknownOption(Schema.fromJsonString(Schema.Unknown))

/**
 * The events of https://platform.claude.com/docs/en/build-with-claude/streaming. The SDK's own accumulator breaks on what gateways leave
 * out, and completes the JSON of a call that was cut off; of fields that it does not know it keeps as much as this.
 */
export class AnthropicStream implements Assembly {
  private message: Fields = {}
  private readonly blocks = new Map<number, Block>()
  private isOver = false
  private failure: Fields | undefined
  private readonly hear: Hear

  constructor(hear: Hear = unheard) {
    this.hear = hear
  }

  add(given: unknown): boolean {
    const event = fieldsOf(given)
    if (event.type === "error" || Predicate.isObject(event.error)) this.failure = event
    else this.take(event)
    return this.failure !== undefined
  }

  private take(event: Fields): void {
    const index = typeof event.index === "number" ? event.index : this.blocks.size
    switch (event.type) {
      case "message_start":
        this.message = fieldsOf(event.message)
        return
      case "content_block_start":
        this.start(index, fieldsOf(event.content_block))
        return
      case "content_block_delta":
        this.extend(index, fieldsOf(event.delta))
        return
      case "message_delta": {
        const usage = { ...fieldsOf(this.message.usage), ...withoutNulls(fieldsOf(event.usage)) }
        this.message = { ...this.message, ...fieldsOf(event.delta), usage }
        // Gateways leave `message_stop` out.
        this.isOver ||= typeof this.message.stop_reason === "string"
        return
      }
      case "message_stop":
        this.isOver = true
        return
    }
  }

  done(): void {
    this.isOver = true
  }

  answer(): unknown {
    if (this.failure !== undefined) return this.failure
    if (!this.isOver) return undefined
    const blocks = [...this.blocks].sort(([a], [b]) => a - b).map(([, block]) => block)
    return {
      ...this.message,
      content: blocks.map(({ fields, json }) =>
        json === "" ? fields : { ...fields, input: Option.getOrElse(decodeJson(json), () => json) }
      )
    }
  }

  private start(index: number, fields: Fields): void {
    if (this.blocks.size >= mostParts) return
    this.blocks.set(index, { fields, json: "" })
    this.hear("text", wordsIn(fields.text))
    this.hear("thinking", wordsIn(fields.thinking))
  }

  private extend(index: number, delta: Fields): void {
    const block = this.blocks.get(index)
    if (block === undefined) return
    const append = (kind: "text" | "thinking") => {
      const words = wordsIn(delta[kind])
      block.fields = { ...block.fields, [kind]: wordsIn(block.fields[kind]) + words }
      this.hear(kind, words)
    }
    switch (delta.type) {
      case "text_delta":
        append("text")
        return
      case "thinking_delta":
        append("thinking")
        return
      case "signature_delta":
        block.fields = { ...block.fields, signature: wordsIn(delta.signature) }
        return
      case "input_json_delta":
        block.json += wordsIn(delta.partial_json)
        return
    }
  }
}

const withoutNulls = (fields: Fields): Fields =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== null))
