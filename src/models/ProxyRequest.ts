import { Schema } from "effect"
import {
  type ContentBlock,
  type DocumentBlock,
  type TextBlock,
  type ThinkingBlock,
  type ToolResultBlock,
  type ToolResultContent,
  type ToolUseBlock,
  text
} from "../domain/ContentBlock.ts"
import type { Effort } from "../domain/Task.ts"
import { type Attached, argumentsOf, attachedTo, isFields } from "./Attached.ts"
import type { ModelRequest, ToolDefinition, Turn } from "./LanguageModel.ts"
import type { Habits } from "./ProxyHabits.ts"

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
  | (Attached & {
      readonly role: "assistant"
      readonly content: string | null
      readonly tool_calls?: ReadonlyArray<Attached>
    })

/** The body of POST /chat/completions. */
export interface Body {
  readonly model: string
  readonly messages: ReadonlyArray<Message>
  readonly tools?: ReadonlyArray<unknown>
  readonly tool_choice?: "auto" | "none"
  readonly reasoning_effort?: Effort
}

/**
 * The request as every OpenAI-compatible endpoint takes it, but for what its habits say. It says nothing of the length of the answer: the
 * parameter has two names, and small local models refuse what large ones need.
 */
export const toBody = (request: ModelRequest, habits: Habits): Body => {
  const model = request.model ?? defaultModel
  const turns = takesPdf(model) ? request.turns : request.turns.map(withoutPdf)
  const messages = turns.flatMap((turn) =>
    turn.role === "user" ? toUserMessages(turn, habits) : [toReply(turn, habits)]
  )
  const isClaude = /claude|anthropic/i.test(model)
  return {
    model,
    messages: [
      { role: "system", content: isClaude ? [marked({ type: "text", text: request.system })] : request.system },
      ...(isClaude ? withMarkAtTheEnd(messages) : messages)
    ],
    // OpenAI refuses an empty list, and a choice without tools.
    ...(request.tools.length === 0 ? {} : { tools: request.tools.map(toTool), tool_choice: request.toolChoice }),
    ...(request.effort === undefined ? {} : { reasoning_effort: request.effort })
  }
}

const toTool = ({ description, inputSchema, name }: ToolDefinition) => ({
  type: "function",
  function: { name, description, parameters: inputSchema }
})

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
const toUserMessages = ({ content }: Turn, { bridges }: Habits): ReadonlyArray<Message> => {
  const results = content.filter((block) => block.type === "tool_result")
  const shown = content.flatMap((block) => {
    if (block.type === "tool_result") return block.content.filter((item) => !isWords(item)).map(toPart)
    return block.type === "text" || block.type === "image" || block.type === "document"
      ? [toPart(block)]
      : [{ type: "text", text: JSON.stringify(block) } satisfies Part]
  })
  const answers = results.map(toResult)
  if (shown.length === 0) return answers
  const user = { role: "user", content: shown } as const
  return answers.length > 0 && bridges ? [...answers, bridge, user] : [...answers, user]
}

/** Stands between a tool's message and a user's. */
const bridge: Message = { role: "assistant", content: "I look at what it shows." }

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

/** All calls of a reply are in one message, with what its model attached to it. */
const toReply = ({ content }: Turn, habits: Habits): Message => {
  const words = content.flatMap((block) => (block.type === "text" ? [block.text] : [])).join("\n\n")
  const calls = content.filter((block) => block.type === "tool_use")
  const thoughts = content.filter((block) => block.type === "thinking")
  const attached = habits.attaches ? Object.assign({}, ...thoughts.map(attachedFields)) : {}
  return {
    ...(habits.wantsReasoning && calls.length > 0 ? { reasoning_content: reasoningOf(thoughts) } : {}),
    ...attached,
    role: "assistant",
    content: words === "" && calls.length > 0 ? null : words || "(no answer)",
    ...(calls.length === 0 ? {} : { tool_calls: calls.map((call, index) => toCall(call, habits, index === 0)) })
  }
}

/** A field that is stored as null holds the words of the block (ProxyReply.ts). */
const attachedFields = (block: ThinkingBlock): Attached =>
  Object.fromEntries(Object.entries(attachedTo(block)).map(([name, value]) => [name, value ?? block.thinking]))

/** Endpoints that want reasoning with every call want a text in its place where there is none, such as a blank. */
const reasoningOf = (thoughts: ReadonlyArray<ThinkingBlock>): string =>
  thoughts.map(({ thinking }) => thinking).join("\n") || " "

const toCall = (block: ToolUseBlock, { attaches, wantsSignature }: Habits, isFirst: boolean): Attached => {
  const attached = attaches ? attachedTo(block) : {}
  return {
    ...(wantsSignature && isFirst ? unsigned : {}),
    ...fieldsIn(attached.call),
    id: block.id,
    type: "function",
    function: { ...fieldsIn(attached.function), name: block.name, arguments: argumentsOf(block) }
  }
}

/** What Google takes in place of a signature, for calls of another model (ai.google.dev/gemini-api/docs/thought-signatures). */
const unsigned = { extra_content: { google: { thought_signature: "skip_thought_signature_validator" } } }

const fieldsIn = (value: Schema.Json | undefined): Attached => (isFields(value) ? value : {})
