import type { Conversation } from "../domain/Conversation.ts"
import type { ModelError, RequestLimits } from "../models/LanguageModel.ts"
import { type Candidate, keyOf } from "./ModelRoute.ts"

/** Replies that are remembered; the oldest are forgotten, and would be refused once more. */
const remembered = 10_000

/** What models were found not to take back or not to take so many of. All tasks share it, while the process runs. */
export class Refusals {
  private readonly images = new Map<string, number>()

  /** Ids of replies whose reasoning was refused. */
  readonly reasoning = new Set<string>()

  /** The limits of the model's provider, or the lower ones of the model. */
  limitsOf(candidate: Candidate, limits: RequestLimits): RequestLimits {
    return { ...limits, images: Math.min(limits.images, this.images.get(keyOf(candidate)) ?? limits.images) }
  }

  /** Whether the error taught something, so that the next request is another one. */
  learn(candidate: Candidate, { entries }: Conversation, { refuses }: ModelError): boolean {
    if (refuses?._tag === "Images") {
      const isNew =
        refuses.beyond >= 1 && refuses.beyond < (this.images.get(keyOf(candidate)) ?? Number.POSITIVE_INFINITY)
      if (isNew) this.images.set(keyOf(candidate), refuses.beyond)
      return isNew
    }
    if (refuses?._tag !== "Reasoning") return false
    const replies = entries.filter(({ id, role }) => role === "ASSISTANT" && !this.reasoning.has(id))
    for (const { id } of replies) this.reasoning.add(id)
    for (const id of this.reasoning) if (this.reasoning.size > remembered) this.reasoning.delete(id)
    return replies.length > 0
  }
}
