import { createHash } from "node:crypto"
import type { MessagesRequest } from "./anthropicRequest.ts"
import { invalid } from "./anthropicShape.ts"
import { isRecord } from "./httpServer.ts"

/** A thinking block that was given out: its text, and what the model had read before it. */
export interface Thought {
  readonly thinking: string
  readonly prefix: string
}

const plain = (block: unknown): string => {
  if (!isRecord(block)) return JSON.stringify(block)
  const { cache_control: _, ...rest } = block
  return JSON.stringify(rest)
}

/** A digest of all that a model read: system prompt, tools and the blocks of the messages, cache marks aside. */
class Reading {
  readonly #hash = createHash("sha1")

  constructor({ model, system, tools }: MessagesRequest) {
    this.#hash.update(JSON.stringify([model, asBlocks(system).map(plain), (tools ?? []).map(plain)]))
  }

  add(role: string, block: unknown): void {
    this.#hash.update(`${role} ${plain(block)}`)
  }

  digest(): string {
    return this.#hash.copy().digest("base64")
  }
}

const asBlocks = (content: unknown): ReadonlyArray<unknown> =>
  content === undefined ? [] : Array.isArray(content) ? content : [{ type: "text", text: content }]

/** What a model has read when it answers the request. */
export const readBefore = (request: MessagesRequest): string => {
  const reading = new Reading(request)
  for (const { content, role } of request.messages) for (const block of asBlocks(content)) reading.add(role, block)
  return reading.digest()
}

/**
 * A thinking block that the emulator gave out must come back as it was, and after the same prompt and messages as then: the rule
 * of newer models, which is applied to all here (https://platform.claude.com/docs/en/build-with-claude/preserved-thinking).
 */
export const checkThoughts = (request: MessagesRequest, thoughts: ReadonlyMap<string, Thought>): void => {
  const reading = new Reading(request)
  for (const [i, { content, role }] of request.messages.entries()) {
    const before = reading.digest()
    for (const [j, block] of asBlocks(content).entries()) {
      if (isRecord(block) && block.type === "thinking" && typeof block.signature === "string") {
        const thought = thoughts.get(block.signature)
        if (thought !== undefined && thought.thinking !== block.thinking) {
          throw invalid(
            `messages.${i}.content.${j}`,
            `\`thinking\` or \`redacted_thinking\` blocks in the latest assistant message cannot ` +
              "be modified. These blocks must remain as they were in the original response."
          )
        }
        if (thought !== undefined && thought.prefix !== before) {
          throw invalid(
            `messages.${i}.content.${j}`,
            "Invalid `signature` in `thinking` block. The block is bound to a different conversation. Remove the block, " +
              'or set `thinking.block_binding.prefix_mismatch_behavior` to "drop_block".'
          )
        }
      }
      reading.add(role, block)
    }
  }
}
