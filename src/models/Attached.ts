import { Option, Schema } from "effect"
import type { ToolUseBlock } from "../domain/ContentBlock.ts"

/**
 * What a model attached to its answer and wants back as it was: signatures, reasoning in fields of its own, the text of a call's arguments.
 * It is JSON in a text (`extra` of a stored block), because a jsonb column does not keep the order of keys.
 */
export type Attached = Readonly<Record<string, Schema.Json>>

export const isFields = (value: Schema.Json | undefined): value is Attached =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const decodeFields = Schema.decodeUnknownOption(Schema.fromJsonString(Schema.Record(Schema.String, Schema.Json)))

export const attachedTo = ({ extra }: { readonly extra?: string }): Attached =>
  Option.getOrElse(decodeFields(extra), () => ({}))

/** Characters of JSON. */
const longestExtra = 8 * 1024 * 1024

/** The key of a block with these fields; none where there is nothing to keep, or too much. */
export const toExtra = (attached: Attached): { readonly extra?: string } => {
  const extra = JSON.stringify(attached)
  return extra === "{}" || extra.length > longestExtra ? {} : { extra }
}

/** The arguments of a call as its model wrote them. */
export const argumentsOf = (block: ToolUseBlock): string => {
  const { arguments: written } = attachedTo(block)
  return typeof written === "string" ? written : JSON.stringify(block.input ?? {})
}

/** The input of a call with its keys in the order in which its model wrote them. */
export const inputOf = (block: ToolUseBlock): Readonly<Record<string, Schema.Json>> =>
  Option.getOrElse(decodeFields(argumentsOf(block)), () => ({}))

/** JSON with its keys as a jsonb column returns them: by their length in bytes, then by their bytes. So a reply is the same before and after it is read again. */
export const inStoredOrder = (value: Schema.Json): Schema.Json => {
  if (Array.isArray(value)) return value.map(inStoredOrder)
  if (!isFields(value)) return value
  const entries = Object.entries(value).map(([key, item]) => [key, inStoredOrder(item)] as const)
  return Object.fromEntries(entries.sort(([a], [b]) => compareKeys(Buffer.from(a), Buffer.from(b))))
}

const compareKeys = (a: Buffer, b: Buffer): number => a.length - b.length || Buffer.compare(a, b)
