import { Schema } from "effect"
import {
  type ContentBlock,
  type DocumentBlock,
  type TextBlock,
  type ToolResultBlock,
  type ToolResultContent,
  text
} from "../domain/ContentBlock.ts"
import type { Effort } from "../domain/Task.ts"
import type { ModelRequest, Turn } from "./LanguageModel.ts"

/** For stored tasks that name no model: what proxies map to something of their own. */
export const defaultModel = "default"

/** A breakpoint of Anthropic's prompt cache, which LiteLLM and OpenRouter pass on. */
interface CacheMark {
  readonly cache_control?: { readonly type: "ephemeral" }
}

type Part = CacheMark &
  (
    | { readonly type: "text"; readonly text: string }
    | { readonly type: "image_url"; readonly image_url: { readonly url: string } }
    | { readonly type: "file"; readonly file: { readonly filename: string; readonly file_data: string } }
  )

type Message =
  | { readonly role: "system"; readonly content: string | ReadonlyArray<Part> }
  | { readonly role: "user"; readonly content: ReadonlyArray<Part> }
  | { readonly role: "tool"; readonly tool_call_id: string; readonly content: string }
  | {
      readonly role: "assistant"
      readonly content: string | null
      readonly tool_calls?: ReadonlyArray<{
        readonly id: string
        readonly type: "function"
        readonly function: { readonly name: string; readonly arguments: string }
      }>
    }

/** The body of POST /chat/completions. */
export interface Body {
  readonly model: string
  readonly messages: ReadonlyArray<Message>
  readonly tools: ReadonlyArray<unknown>
  readonly tool_choice: "auto" | "none"
  readonly reasoning_effort?: Effort
}

/**
 * The request as every OpenAI-compatible endpoint takes it. It says nothing of the length of the answer: the parameter has two names, and
 * small local models refuse what large ones need. Reasoning is not sent back: endpoints differ in whether they want it, and where.
 */
export const toBody = (request: ModelRequest): Body => {
  const model = request.model ?? defaultModel
  const turns = takesPdf(model) ? request.turns : request.turns.map(withoutPdf)
  const messages = turns.flatMap((turn) => (turn.role === "user" ? toUserMessages(turn) : [toReply(turn)]))
  const isClaude = /claude|anthropic/i.test(model)
  return {
    model,
    messages: [
      { role: "system", content: isClaude ? [marked({ type: "text", text: request.system })] : request.system },
      ...(isClaude ? withMarkAtTheEnd(messages) : messages)
    ],
    tools: request.tools.map(({ description, inputSchema, name }) => ({
      type: "function",
      function: { name, description, parameters: inputSchema }
    })),
    tool_choice: request.toolChoice,
    ...(request.effort === undefined ? {} : { reasoning_effort: request.effort })
  }
}

/** The models that LiteLLM and OpenRouter pass PDF to; local servers refuse the whole request. */
const takesPdf = (model: string): boolean => /claude|anthropic|gpt|openai|gemini/i.test(model)

const isPdfDocument = (block: ContentBlock): block is DocumentBlock =>
  block.type === "document" && isPdf(block.source.media_type)

const pdfInWords = ({ name = "The file", size }: DocumentBlock): TextBlock =>
  text(
    `${name} is a PDF${size === undefined ? "" : ` of ${size} bytes`}, which this model can't be shown. Open it with an application of the desktop.`
  )

const withoutPdf = (turn: Turn): Turn => ({
  ...turn,
  content: turn.content.map((block) => {
    if (isPdfDocument(block)) return pdfInWords(block)
    return block.type === "tool_result"
      ? { ...block, content: block.content.map((item) => (isPdfDocument(item) ? pdfInWords(item) : item)) }
      : block
  })
})

const marked = (part: Part): Part => ({ ...part, cache_control: { type: "ephemeral" } })

/** After an action the last message is the user's: it shows the screen. */
const withMarkAtTheEnd = (messages: ReadonlyArray<Message>): ReadonlyArray<Message> => {
  const last = messages.at(-1)
  if (last?.role !== "user") return messages
  const content = last.content.map((part, index) => (index === last.content.length - 1 ? marked(part) : part))
  return [...messages.slice(0, -1), { ...last, content }]
}

/**
 * First the answer to every call, each a message of its own, in words, which is all that these may hold; then one message with what they
 * show and what else the user's turn has.
 */
const toUserMessages = ({ content }: Turn): ReadonlyArray<Message> => {
  const results = content.filter((block) => block.type === "tool_result")
  const shown = content.flatMap((block) => {
    if (block.type === "tool_result") return block.content.filter((item) => !isWords(item)).map(toPart)
    return block.type === "text" || block.type === "image" || block.type === "document"
      ? [toPart(block)]
      : [{ type: "text", text: JSON.stringify(block) } satisfies Part]
  })
  return [...results.map(toResult), ...(shown.length === 0 ? [] : [{ role: "user", content: shown } as const])]
}

const toResult = (block: ToolResultBlock): Message => {
  const words = block.content.filter(isWords).map(wordsOf).join("\n")
  return { role: "tool", tool_call_id: block.tool_use_id, content: words === "" ? "(see below)" : words }
}

const isImageType = Schema.is(Schema.Literals(["image/png", "image/jpeg", "image/gif", "image/webp"]))

/** Whether an item can be told in words: pictures and PDF can't. */
const isWords = (item: ToolResultContent): boolean =>
  item.type === "text" || !(isImageType(item.source.media_type) || isPdf(item.source.media_type))

const isPdf = (type: string): boolean => type === "application/pdf"

const wordsOf = (item: ToolResultContent): string => {
  if (item.type === "text") return item.text === "" ? "(empty)" : item.text
  return item.type === "document" ? textOf(item) : `(An image of type ${item.source.media_type}, which can't be shown.)`
}

const textOf = ({ name, source }: DocumentBlock): string => {
  const words = Buffer.from(source.data, "base64").toString("utf8") || "(empty)"
  return name === undefined ? words : `${name}:\n${words}`
}

const toPart = (item: ToolResultContent): Part => {
  if (item.type === "text" || isWords(item)) return { type: "text", text: wordsOf(item) }
  const url = `data:${item.source.media_type};base64,${item.source.data}`
  return isPdf(item.source.media_type)
    ? { type: "file", file: { filename: nameOf(item), file_data: url } }
    : { type: "image_url", image_url: { url } }
}

const nameOf = (item: ToolResultContent): string =>
  item.type === "document" && item.name !== undefined ? item.name : "document.pdf"

/** All calls of a reply are in one message. */
const toReply = ({ content }: Turn): Message => {
  const words = content.flatMap((block) => (block.type === "text" ? [block.text] : [])).join("\n\n")
  const calls = content.filter((block) => block.type === "tool_use")
  return {
    role: "assistant",
    content: words === "" && calls.length > 0 ? null : words || "(no answer)",
    ...(calls.length === 0
      ? {}
      : {
          tool_calls: calls.map(({ id, input, name }) => ({
            id,
            type: "function" as const,
            function: { name, arguments: JSON.stringify(input) }
          }))
        })
  }
}
