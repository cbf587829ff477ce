import type AnthropicClient from "@anthropic-ai/sdk"
import { Schema } from "effect"
import type { ContentBlock, DocumentBlock, ToolResultContent } from "../domain/ContentBlock.ts"
import { inputOf } from "./Attached.ts"
import type { ModelRequest, ToolDefinition, Turn } from "./LanguageModel.ts"

/** For stored tasks that name no model (golden/agent-model-without-name.json). */
export const defaultModel = "claude-opus-5-5"

/** As the original asked for; within what every model on offer can answer without streaming. */
const maxTokens = 16_384

const cached = { cache_control: { type: "ephemeral" as const } }

export const toParams = (request: ModelRequest): AnthropicClient.MessageCreateParamsNonStreaming => ({
  model: request.model ?? defaultModel,
  max_tokens: maxTokens,
  system: [{ type: "text", text: request.system, ...cached }],
  messages: request.turns.map((turn, index) => toMessage(turn, index === request.turns.length - 1)),
  ...(request.tools.length === 0 ? {} : toolsOf(request)),
  ...(isSilent(request.model ?? defaultModel) ? { thinking: { type: "adaptive", display: "summarized" } } : {}),
  ...(request.effort !== undefined && takesEffort(request.model ?? defaultModel)
    ? { output_config: { effort: request.effort } }
    : {})
})

const toolsOf = ({
  toolChoice,
  tools
}: ModelRequest): Pick<AnthropicClient.MessageCreateParams, "tools" | "tool_choice"> => ({
  tools: tools.map((tool, index) => toTool(tool, index === tools.length - 1)),
  ...(toolChoice === "none" ? { tool_choice: { type: "none" } } : {})
})

/**
 * From Claude 5 on, these models think by themselves, and what they say between calls are thoughts that come back empty unless asked for
 * (platform.claude.com/docs/en/models/opus-5-5/whats-new-opus-5-5).
 */
const isSilent = (model: string): boolean => /claude-(opus|sonnet|haiku|fable)-[5-9]/.test(model)

/** platform.claude.com/docs/en/build-with-claude/effort: from Opus 4.5 and Sonnet 4.6 on; older ones refuse it. Names that say nothing are tried. */
const takesEffort = (model: string): boolean =>
  !/claude-(2|3|instant)|claude-(opus|sonnet)-4(-[01])?(-\d{8})?$|claude-(sonnet|haiku)-4-5/.test(model)

const toTool = (tool: ToolDefinition, isLast: boolean): AnthropicClient.Tool => ({
  name: tool.name,
  description: tool.description,
  input_schema: { ...tool.inputSchema, type: "object" },
  ...(isLast ? cached : {})
})

const toMessage = (turn: Turn, isLast: boolean): AnthropicClient.MessageParam => ({
  role: turn.role,
  content: turn.content.flatMap((block, index) => {
    const param = toBlock(block)
    return isLast && index === turn.content.length - 1 && isCacheable(param) ? [{ ...param, ...cached }] : [param]
  })
})

const isCacheable = (param: AnthropicClient.ContentBlockParam) =>
  param.type === "text" || param.type === "image" || param.type === "document" || param.type === "tool_result"

const toBlock = (block: ContentBlock): AnthropicClient.ContentBlockParam => {
  switch (block.type) {
    case "tool_result":
      return {
        type: "tool_result",
        tool_use_id: block.tool_use_id,
        content: block.content.map(toContent),
        ...(block.is_error === true ? { is_error: true } : {})
      }
    case "tool_use":
      return { type: "tool_use", id: block.id, name: block.name, input: inputOf(block) }
    case "thinking":
      return { type: "thinking", thinking: block.thinking, signature: block.signature }
    case "redacted_thinking":
      return { type: "redacted_thinking", data: block.data }
    case "user_action":
      return { type: "text", text: JSON.stringify(block.content) }
    default:
      return toContent(block)
  }
}

const toContent = (
  block: ToolResultContent
): AnthropicClient.TextBlockParam | AnthropicClient.ImageBlockParam | AnthropicClient.DocumentBlockParam => {
  if (block.type === "text") return { type: "text", text: block.text === "" ? "(empty)" : block.text }
  if (block.type === "document") return toDocument(block)
  const { data, media_type } = block.source
  return isImageType(media_type)
    ? { type: "image", source: { type: "base64", media_type, data } }
    : { type: "text", text: `(An image of type ${media_type}, which can't be shown.)` }
}

const isImageType = Schema.is(Schema.Literals(["image/png", "image/jpeg", "image/gif", "image/webp"]))

/** Anthropic takes PDF as base64 and everything else as text, and no keys beyond its own. */
const toDocument = ({ name, source }: DocumentBlock): AnthropicClient.DocumentBlockParam => ({
  type: "document",
  ...(name === undefined ? {} : { title: name }),
  source:
    source.media_type === "application/pdf"
      ? { type: "base64", media_type: "application/pdf", data: source.data }
      : {
          type: "text",
          media_type: "text/plain",
          data: Buffer.from(source.data, "base64").toString("utf8") || "(empty)"
        }
})
