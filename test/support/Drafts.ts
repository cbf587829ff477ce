import { Option, Schema } from "effect"
import { MessageDelta } from "../../src/domain/MessageDelta.ts"

const decode = Schema.decodeUnknownOption(MessageDelta)

/** The deltas among what a watcher got. */
export const deltasIn = (seen: ReadonlyArray<unknown>, taskId?: string): ReadonlyArray<MessageDelta> =>
  seen
    .flatMap((item) => Option.toArray(decode(item)))
    .filter((delta) => taskId === undefined || delta.taskId === taskId)

/** Put together as docs/api.md says: the drafts that did not turn out to be void, each as its text and what was thought. */
export const draftsOf = (
  deltas: ReadonlyArray<MessageDelta>
): ReadonlyArray<{ readonly text: string; readonly thinking: string }> => {
  const drafts: Array<{ text: string; thinking: string; next: number }> = []
  for (const { index, kind, text } of deltas) {
    if (index === 0 && text === "") drafts.pop()
    else if (index === 0) drafts.push({ text: "", thinking: "", next: 0 })
    const draft = drafts.at(-1)
    if (draft?.next !== index) continue
    draft[kind] += text
    draft.next += 1
  }
  return drafts.map(({ text, thinking }) => ({ text, thinking }))
}
