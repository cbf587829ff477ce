import type Anthropic from "@anthropic-ai/sdk"
import { invalid } from "./anthropicShape.ts"

/**
 * What must hold between messages. The real API first joins neighbours of one role; here every message stands for
 * itself, so a `tool_result` must be in the very next message. That is stricter, and what a careful client sends.
 */

type Block = Anthropic.ContentBlockParam

const blocksOf = (message: Anthropic.MessageParam): ReadonlyArray<Block> =>
  typeof message.content === "string" ? [{ type: "text", text: message.content }] : message.content

export const checkTurns = (messages: ReadonlyArray<Anthropic.MessageParam>): void => {
  if (messages.length === 0) throw invalid("messages", "at least one message is required")
  if (messages[0]?.role !== "user") throw invalid("messages", 'first message must use the "user" role')
  checkContents(messages)
  checkTools(messages)
}

const checkContents = (messages: ReadonlyArray<Anthropic.MessageParam>): void => {
  for (const [i, message] of messages.entries()) {
    const isFinalAssistant = i === messages.length - 1 && message.role === "assistant"
    if (message.content.length === 0) {
      if (isFinalAssistant) continue
      throw invalid(
        `messages.${i}`,
        "all messages must have non-empty content except for the optional final assistant message"
      )
    }
    const blocks = blocksOf(message)
    checkTexts(blocks)
    for (const block of blocks) {
      if (block.type === "tool_result" && Array.isArray(block.content)) checkTexts(block.content)
    }
    const last = blocks.at(-1)
    if (isFinalAssistant && last?.type === "text" && last.text !== last.text.trimEnd()) {
      throw invalid("messages", "final assistant content cannot end with trailing whitespace")
    }
  }
}

const checkTexts = (blocks: ReadonlyArray<{ readonly type: string; readonly text?: string }>): void => {
  const texts = blocks.flatMap((block) => (block.type === "text" && block.text !== undefined ? [block.text] : []))
  if (texts.includes("")) throw invalid("messages", "text content blocks must be non-empty")
  if (texts.length > 0 && texts.every((text) => text.trim() === "")) {
    throw invalid("messages", "text content blocks must contain non-whitespace text")
  }
}

const checkTools = (messages: ReadonlyArray<Anthropic.MessageParam>): void => {
  const seen = new Set<string>()
  let open: ReadonlyArray<string> = []
  for (const [i, message] of messages.entries()) {
    const blocks = blocksOf(message)
    checkResults(blocks, open, i)
    const asked: Array<string> = []
    for (const [j, block] of blocks.entries()) {
      if (block.type !== "tool_use") continue
      if (seen.has(block.id)) throw invalid(`messages.${i}.content.${j}`, "`tool_use` ids must be unique")
      seen.add(block.id)
      asked.push(block.id)
    }
    open = asked
  }
  if (open.length > 0) throw unanswered(messages.length - 1, open)
}

/** The results in message `i` for the calls of the message before it. */
const checkResults = (blocks: ReadonlyArray<Block>, open: ReadonlyArray<string>, i: number): void => {
  const answered = new Set<string>()
  const leading = new Set<string>()
  let atStart = true
  for (const [j, block] of blocks.entries()) {
    if (block.type !== "tool_result") {
      atStart = false
      continue
    }
    const id = block.tool_use_id
    if (!open.includes(id)) {
      throw invalid(
        `messages.${i}.content.${j}`,
        `unexpected \`tool_use_id\` found in \`tool_result\` blocks: ${id}. Each \`tool_result\` block must have a ` +
          "corresponding `tool_use` block in the previous message."
      )
    }
    if (answered.has(id)) {
      throw invalid(
        `messages.${i}.content.${j}`,
        `each tool_use must have a single result. Found multiple \`tool_result\` blocks with id: ${id}`
      )
    }
    answered.add(id)
    if (atStart) leading.add(id)
  }
  const missing = open.filter((id) => !leading.has(id))
  if (missing.length > 0) throw unanswered(i - 1, missing)
}

const unanswered = (i: number, ids: ReadonlyArray<string>) =>
  invalid(
    `messages.${i}`,
    `\`tool_use\` ids were found without \`tool_result\` blocks immediately after: ${ids.join(", ")}. Each ` +
      "`tool_use` block must have a corresponding `tool_result` block in the next message."
  )
