import { hash } from "node:crypto"
import type { ContentBlock } from "../domain/ContentBlock.ts"

const digests = new WeakMap<object, string>()

/** The digest of a value's JSON; computed once for each object, because pictures are large and shown often. */
const digestOf = (value: object): string => {
  const known = digests.get(value)
  if (known !== undefined) return known
  const digest = hash("sha1", JSON.stringify(value), "base64")
  digests.set(value, digest)
  return digest
}

/** The parts of a result stay the same objects while the block around them is made anew. */
const digestOfBlock = (block: ContentBlock): string =>
  block.type === "tool_result"
    ? [block.tool_use_id, block.is_error === true, ...block.content.map(digestOf)].join(" ")
    : digestOf(block)

/** A running digest of what a model is sent: equal digests mean that it has read the same. */
export class Prefix {
  private current: string

  constructor(preamble: string) {
    this.current = preamble
  }

  add(role: "user" | "assistant", block: ContentBlock): void {
    this.current = hash("sha1", `${this.current}\n${role} ${digestOfBlock(block)}`, "base64")
  }

  get digest(): string {
    return this.current
  }
}
