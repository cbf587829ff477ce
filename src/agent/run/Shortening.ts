import { Option } from "effect"
import type { Conversation, Entry } from "../../domain/Conversation.ts"
import { withinLimits } from "../Screenshots.ts"

/** What a summary is to cover, up to the position `through`, and what is `left` to go on after it. */
export interface Split {
  readonly covered: Conversation
  readonly left: ReadonlyArray<Entry>
  readonly through: bigint
}

/** All of a conversation, once a reply says that the context is nearly full; none where there is nothing. */
export const whole = (conversation: Conversation): Option.Option<Split> =>
  Option.map(Option.fromNullishOr(conversation.entries.at(-1)), ({ position }) => ({
    covered: conversation,
    left: [],
    through: position
  }))

/**
 * What to hide behind a summary when the whole is too long: all but the last step, so that the model still sees the screen; that too
 * if it is the larger part. Pictures and documents are left out of what is summarised, or that would be too long as well.
 */
export const shorter = ({ entries, summary }: Conversation): Option.Option<Split> => {
  const lastReply = entries.findLastIndex(({ role }) => role === "ASSISTANT")
  const tail = lastReply <= 0 ? [] : entries.slice(lastReply)
  const left = sizeOf(tail) * 2 > sizeOf(entries) ? [] : tail
  const covered = entries.slice(0, entries.length - left.length)
  return Option.map(Option.fromNullishOr(covered.at(-1)), ({ position }) => ({
    covered: { summary, entries: withinLimits(covered, { images: 0, bytes: 0 }) },
    left,
    through: position
  }))
}

/** Replies after which a request that is not understood may be one that is too large: the model has taken shorter ones. */
const isLongFrom = 10

export const isLong = ({ entries }: Conversation): boolean =>
  entries.filter(({ role }) => role === "ASSISTANT").length >= isLongFrom

const sizeOf = (entries: ReadonlyArray<Entry>): number =>
  entries.reduce((sum, { content }) => sum + JSON.stringify(content).length, 0)
