import type { InputItem } from "./openaiItems.ts"
import { invalid } from "./openaiShape.ts"

/**
 * The reasoning that was given out, encrypted: it comes back as it was, to the model that it came from. (Newer models leave foreign
 * reasoning out and say so in `input_transformations`; a careful client sends none.)
 */
export class GivenReasoning {
  readonly #given = new Map<string, { readonly id: string; readonly model: string }>()

  remember(encrypted: string, id: string, model: string): void {
    this.#given.set(encrypted, { id, model })
  }

  check(items: ReadonlyArray<InputItem>, model: string): void {
    for (const item of items) {
      if (item.type !== "reasoning") continue
      const encrypted = item.encrypted_content ?? ""
      const given = this.#given.get(encrypted)
      if (given?.model === model && (item.id === undefined || item.id === given.id)) continue
      throw invalid(
        null,
        `The encrypted content ${encrypted.slice(0, 4)}...${encrypted.slice(-4)} could not be verified. Reason: Encrypted ` +
          "content could not be decrypted or parsed.",
        "invalid_encrypted_content"
      )
    }
  }

  clear(): void {
    this.#given.clear()
  }
}
