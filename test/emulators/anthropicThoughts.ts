import type { MessagesRequest } from "./anthropicRequest.ts"
import { invalid } from "./anthropicShape.ts"

/** A thinking block that the emulator gave out must come back as it was. */
export const checkThoughts = (request: MessagesRequest, thoughts: ReadonlyMap<string, string>): void => {
  for (const [i, { content }] of request.messages.entries()) {
    if (typeof content === "string") continue
    for (const [j, block] of content.entries()) {
      if (block.type !== "thinking" || !thoughts.has(block.signature)) continue
      if (thoughts.get(block.signature) === block.thinking) continue
      throw invalid(
        `messages.${i}.content.${j}`,
        `\`thinking\` or \`redacted_thinking\` blocks in the latest assistant message cannot ` +
          "be modified. These blocks must remain as they were in the original response."
      )
    }
  }
}
