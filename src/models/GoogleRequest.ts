import type { Content, FunctionDeclaration, Part, ThinkingConfig, ThinkingLevel } from "@google/genai"
import { Schema } from "effect"
import type {
  ContentBlock,
  DocumentBlock,
  ImageBlock,
  ToolResultBlock,
  ToolResultContent
} from "../domain/ContentBlock.ts"
import { inputOf } from "./Attached.ts"
import type { ModelRequest, ToolDefinition, Turn } from "./LanguageModel.ts"

/** How turns and tools are said to Gemini: ai.google.dev/gemini-api/docs/function-calling and /thought-signatures. */

/**
 * What Google takes in place of a signature, for calls that this model did not make itself (another model's, or from before a part of the
 * conversation was left out).
 */
const noSignature = "skip_thought_signature_validator"

/** Before Gemini 3: no media inside a function's response, and no signatures asked for. The names of today's models may lack a number. */
const isOlder = (model: string): boolean => /^(models\/)?(gemini-[12]\b|gemma)/.test(model)

/** Tokens that models before Gemini 3, which know no level, may think (ai.google.dev/gemini-api/docs/thinking). */
const budgets = { low: 1024, medium: 8192, high: 24_576 }

/** How much the model shall think; nothing for models that do not think. */
export const toThinking = (
  { effort }: ModelRequest,
  model: string,
  levels: typeof ThinkingLevel
): { readonly thinkingConfig?: ThinkingConfig } => {
  if (effort === undefined || /gemma/.test(model)) return {}
  if (isOlder(model)) return { thinkingConfig: { thinkingBudget: budgets[effort] } }
  return { thinkingConfig: { thinkingLevel: { low: levels.LOW, medium: levels.MEDIUM, high: levels.HIGH }[effort] } }
}

export const toContents = (turns: ReadonlyArray<Turn>, model: string): Array<Content> => {
  const names = new Map(
    turns.flatMap(({ content }) =>
      content.flatMap((block) => (block.type === "tool_use" ? [[block.id, block.name] as const] : []))
    )
  )
  return turns
    .flatMap(({ content, role }): ReadonlyArray<Content> => {
      if (role === "assistant") return [{ role: "model", parts: toModelParts(content, isOlder(model)) }]
      const { others, responses } = toUserParts(content, names, isOlder(model))
      return [
        { role: "user", parts: responses },
        { role: "user", parts: others }
      ]
    })
    .filter(({ parts }) => parts !== undefined && parts.length > 0)
}

/** A signature goes back in the part that it came with, which is the block after its thinking block (GoogleReply.ts). */
const toModelParts = (blocks: ReadonlyArray<ContentBlock>, isOlderModel: boolean): Array<Part> => {
  const parts: Array<Part> = []
  let signature: string | undefined
  let wantsSignature = !isOlderModel
  const signed = (part: Part): Part => {
    const own = signature ?? (wantsSignature && part.functionCall !== undefined ? noSignature : undefined)
    if (part.functionCall !== undefined) wantsSignature = false
    signature = undefined
    return own === undefined ? part : { ...part, thoughtSignature: own }
  }
  for (const block of blocks) {
    if (block.type === "thinking") {
      if (signature !== undefined) parts.push(signed({ text: "" }))
      signature = block.signature === "" ? undefined : block.signature
    } else if (block.type === "text") {
      parts.push(signed({ text: block.text }))
    } else if (block.type === "tool_use") {
      parts.push(signed({ functionCall: { id: block.id, name: block.name, args: inputOf(block) } }))
    }
  }
  if (signature !== undefined) parts.push(signed({ text: "" }))
  return parts
}

interface UserParts {
  readonly responses: Array<Part>
  readonly others: Array<Part>
}

/**
 * The responses to the calls of the turn before, in their order, and everything else. They become two contents: Google counts the parts
 * of the first one against the calls. Media of a result are inside its response, where the model knows whose they are; older models refuse
 * that, so theirs follow in the second content.
 */
const toUserParts = (
  blocks: ReadonlyArray<ContentBlock>,
  names: ReadonlyMap<string, string>,
  isOlderModel: boolean
): UserParts => {
  const responses: Array<Part> = []
  const others: Array<Part> = []
  for (const block of blocks) {
    if (block.type !== "tool_result") {
      others.push(...toParts(block))
      continue
    }
    const name = names.get(block.tool_use_id) ?? "unknown"
    const media = block.content.filter(isMedium).map(toInlineData)
    const parts = isOlderModel || media.length === 0 ? {} : { parts: media }
    responses.push({
      functionResponse: { id: block.tool_use_id, name, response: toResponse(block, media.length), ...parts }
    })
    if (isOlderModel && media.length > 0) others.push({ text: `What ${name} shows:` }, ...media)
  }
  return { responses, others }
}

const toResponse = (block: ToolResultBlock, media: number): Record<string, unknown> => {
  const words = block.content.filter((item) => !isMedium(item)).map(toWords)
  const output = words.join("\n") || (media > 0 ? "See what is attached." : "(empty)")
  return block.is_error === true ? { error: output } : { output }
}

const toParts = (block: ContentBlock): ReadonlyArray<Part> => {
  switch (block.type) {
    case "text":
    case "image":
    case "document":
      return [isMedium(block) ? toInlineData(block) : { text: toWords(block) }]
    case "user_action":
      return [{ text: JSON.stringify(block.content) }]
    default:
      return []
  }
}

/** What may stand inside a function's response, which is less than what a prompt takes. */
const isMediumType = Schema.is(Schema.Literals(["image/png", "image/jpeg", "image/webp", "application/pdf"]))

type Medium = ImageBlock | DocumentBlock

const isMedium = (block: ToolResultContent): block is Medium =>
  block.type !== "text" && isMediumType(block.source.media_type)

const toInlineData = ({ source }: Medium) => ({ inlineData: { mimeType: source.media_type, data: source.data } })

const toWords = (block: ToolResultContent): string => {
  switch (block.type) {
    case "text":
      return block.text
    case "image":
      return `(An image of type ${block.source.media_type}, which can't be shown.)`
    case "document":
      return `${block.name ?? "The document"}:\n${Buffer.from(block.source.data, "base64").toString("utf8")}`
  }
}

/** A function without parameters has no schema: Google refuses objects without properties. */
export const toDeclaration = ({ description, inputSchema, name }: ToolDefinition): FunctionDeclaration => ({
  name,
  description,
  ...(Object.keys(inputSchema.properties ?? {}).length === 0 ? {} : { parametersJsonSchema: onlyKnown(inputSchema) })
})

/** What Google understands of JSON Schema, by the description of `responseJsonSchema` in its SDK; the rest is left out. */
const keywords = ["type", "format", "title", "description", "enum", "minItems", "maxItems", "minimum", "maximum"]
const keywordsOfSchemas = ["items", "prefixItems", "anyOf", "oneOf"]

const onlyKnown = (schema: unknown): unknown => {
  if (Array.isArray(schema)) return schema.map(onlyKnown)
  if (!isRecord(schema)) return schema
  return Object.fromEntries(
    Object.entries(schema).flatMap(([key, value]) => {
      if (keywords.includes(key) || key === "required") return [[key, value]]
      if (keywordsOfSchemas.includes(key)) return [[key, onlyKnown(value)]]
      if (key !== "properties" || !isRecord(value)) return []
      return [[key, Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, onlyKnown(inner)]))]]
    })
  )
}

const isRecord = Schema.is(Schema.Record(Schema.String, Schema.Unknown))
