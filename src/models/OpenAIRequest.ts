import { hash } from "node:crypto"
import { Schema } from "effect"
import type OpenAI from "openai"
import type {
  ContentBlock,
  DocumentBlock,
  ImageBlock,
  ThinkingBlock,
  ToolResultBlock,
  ToolResultContent
} from "../domain/ContentBlock.ts"
import { argumentsOf } from "./Attached.ts"
import type { ModelRequest, ToolDefinition, Turn } from "./LanguageModel.ts"
import { defaultModel, isReasoningId, type ModelTraits, traitsOf } from "./OpenAIModels.ts"

/**
 * Reasoning as it is sent back: with its id before a call (as microsoft/vscode-copilot-chat does, responsesApi.ts). Before a message it has
 * none (as in openai/codex, codex-rs/protocol/src/models.rs): with an id it wants that of the message too, which is not stored.
 */
type Reasoning = Omit<OpenAI.Responses.ResponseReasoningItem, "id"> & { readonly id?: string }

type Item =
  | OpenAI.Responses.EasyInputMessage
  | OpenAI.Responses.ResponseFunctionToolCall
  | OpenAI.Responses.ResponseInputItem.FunctionCallOutput
  | Reasoning

/** The body of POST /v1/responses. */
export type Body = Omit<OpenAI.Responses.ResponseCreateParamsNonStreaming, "input"> & {
  readonly input: ReadonlyArray<Item>
}

/** What of the reasoning is in a request. */
export interface Asked {
  /** The reasoning of earlier replies goes along. */
  readonly earlier: boolean
  /** The model is to summarise its reasoning, which OpenAI allows to verified organisations only. */
  readonly summary: boolean
}

/** Reasoning and answer together; what every model with tools and pictures can write, and more where reasoning needs it. */
const maxTokens = { reasoning: 32_768, other: 16_384 }

export const toBody = (request: ModelRequest, asked: Asked): Body => {
  const model = request.model ?? defaultModel
  const traits = traitsOf(model)
  return {
    model,
    store: false,
    ...(traits.readsInstructionsLast ? {} : { instructions: request.system }),
    input: [
      ...(traits.readsInstructionsLast ? [{ role: "developer", content: request.system } as const] : []),
      ...request.turns.flatMap((turn) =>
        turn.role === "user" ? toUserItems(turn, traits) : toReplyItems(turn, traits, asked)
      )
    ],
    ...(request.tools.length === 0 ? {} : { tools: request.tools.map(toTool), tool_choice: request.toolChoice }),
    max_output_tokens: traits.reasons ? maxTokens.reasoning : maxTokens.other,
    prompt_cache_key: cacheKey(request),
    ...(traits.reasons
      ? {
          include: ["reasoning.encrypted_content"],
          reasoning: {
            ...(traits.takesEffort ? { effort: request.effort ?? "medium" } : {}),
            ...(asked.summary ? { summary: "auto" } : {})
          }
        }
      : {})
  }
}

/** Requests of one task go where its prompt is cached: they begin with the same text. */
const cacheKey = ({ turns }: ModelRequest): string => {
  const texts = turns[0]?.content.flatMap((block) => (block.type === "text" ? [block.text] : [])) ?? []
  return hash("sha256", texts.join("\n"), "hex")
}

/** Parameters that may be left out rule strict mode out. */
const toTool = (tool: ToolDefinition): OpenAI.Responses.FunctionTool => ({
  type: "function",
  name: tool.name,
  description: tool.description,
  parameters: { ...tool.inputSchema },
  strict: false
})

/** Results of tools, each one item whatever is in it, and messages of all that stands between them. */
const toUserItems = ({ content }: Turn, traits: ModelTraits): ReadonlyArray<Item> => {
  const items: Array<Item> = []
  let parts: Array<OpenAI.Responses.ResponseInputContent> = []
  const endMessage = () => {
    if (parts.length > 0) items.push({ role: "user", content: parts })
    parts = []
  }
  for (const block of content) {
    if (block.type === "tool_result") {
      endMessage()
      items.push(toOutput(block, traits))
    } else parts.push(toUserPart(block, traits))
  }
  endMessage()
  return items
}

const toOutput = (
  block: ToolResultBlock,
  traits: ModelTraits
): OpenAI.Responses.ResponseInputItem.FunctionCallOutput => ({
  type: "function_call_output",
  call_id: block.tool_use_id,
  output: block.content.length === 0 ? "(empty)" : block.content.map((item) => toPart(item, traits))
})

/** What only assistants say is not among a user's blocks, and would be read as text. */
const toUserPart = (block: ContentBlock, traits: ModelTraits): OpenAI.Responses.ResponseInputContent =>
  block.type === "text" || block.type === "image" || block.type === "document"
    ? toPart(block, traits)
    : { type: "input_text", text: JSON.stringify(block) }

const isImageType = Schema.is(Schema.Literals(["image/png", "image/jpeg", "image/gif", "image/webp"]))

const toPart = (block: ToolResultContent, traits: ModelTraits): OpenAI.Responses.ResponseInputContent => {
  switch (block.type) {
    case "text":
      return { type: "input_text", text: block.text === "" ? "(empty)" : block.text }
    case "document":
      return toDocument(block, traits)
    case "image":
      return isImageType(block.source.media_type)
        ? toImage(block.source, traits)
        : { type: "input_text", text: `(An image of type ${block.source.media_type}, which can't be shown.)` }
  }
}

const toImage = (
  { data, media_type }: ImageBlock["source"],
  { seesOriginals }: ModelTraits
): OpenAI.Responses.ResponseInputImage => ({
  type: "input_image",
  image_url: `data:${media_type};base64,${data}`,
  detail: seesOriginals ? "original" : "high"
})

/** PDF goes as a file, a picture as what it shows, everything else as the text that it is. */
const toDocument = (block: DocumentBlock, traits: ModelTraits): OpenAI.Responses.ResponseInputContent => {
  const { name, source } = block
  if (isImageType(source.media_type)) return toImage(source, traits)
  if (source.media_type === "application/pdf") {
    return {
      type: "input_file",
      filename: name ?? "document.pdf",
      file_data: `data:application/pdf;base64,${source.data}`
    }
  }
  const words = Buffer.from(source.data, "base64").toString("utf8") || "(empty)"
  return { type: "input_text", text: name === undefined ? words : `${name}:\n${words}` }
}

/** Reasoning that nothing follows is left out: the API refuses it. */
const toReplyItems = ({ content }: Turn, traits: ModelTraits, asked: Asked): ReadonlyArray<Item> => {
  const lastSaid = content.findLastIndex(({ type }) => type === "text" || type === "tool_use")
  const lastCall = content.findLastIndex(({ type }) => type === "tool_use")
  return content.slice(0, lastSaid + 1).flatMap((block, index): ReadonlyArray<Item> => {
    switch (block.type) {
      case "text":
        return [
          {
            role: "assistant",
            content: block.text,
            ...(traits.marksPhases ? { phase: index < lastCall ? "commentary" : "final_answer" } : {})
          }
        ]
      case "tool_use":
        return [{ type: "function_call", call_id: block.id, name: block.name, arguments: argumentsOf(block) }]
      case "thinking":
        return traits.reasons && asked.earlier ? toReasoning(block, content.slice(index + 1)) : []
      default:
        return []
    }
  })
}

const toReasoning = (
  { signature, summary = "", thinking }: ThinkingBlock,
  following: ReadonlyArray<ContentBlock>
): ReadonlyArray<Reasoning> => {
  const [words, encrypted] = isReasoningId(signature) ? [summary, thinking] : [thinking, signature]
  if (encrypted === "") return []
  const isBeforeCall = following.find(({ type }) => type !== "thinking")?.type === "tool_use"
  return [
    {
      type: "reasoning",
      ...(isReasoningId(signature) && isBeforeCall ? { id: signature } : {}),
      summary: words === "" ? [] : [{ type: "summary_text", text: words }],
      encrypted_content: encrypted
    }
  ]
}
