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

/** What a block made of the digest before it, when it was last added. */
interface Step {
  readonly role: string
  readonly before: string
  readonly after: string
}

/** A conversation is shown again with every call, mostly the same: so a block need not be hashed again behind the same beginning. */
const steps = new WeakMap<ContentBlock, Step>()

/** A running digest of what a model is sent: equal digests mean that it has read the same. */
export class Prefix {
  private current: string

  constructor(preamble: string) {
    this.current = preamble
  }

  add(role: "user" | "assistant", block: ContentBlock): void {
    const known = steps.get(block)
    if (known?.before === this.current && known.role === role) {
      this.current = known.after
      return
    }
    const before = this.current
    this.current = hash("sha1", `${before}\n${role} ${digestOfBlock(block)}`, "base64")
    steps.set(block, { role, before, after: this.current })
  }

  get digest(): string {
    return this.current
  }
}
