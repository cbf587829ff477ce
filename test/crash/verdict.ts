import type { Schema } from "effect"
import type { Played } from "./Scene.ts"
import { actions } from "./script.ts"

type Block = Readonly<Record<string, Schema.Json>>

/** What the service stores for an action during which it died. */
const isUnknown = (block: Block): boolean =>
  block.type === "tool_result" &&
  JSON.stringify(block.content).includes("The service was interrupted during this action")

/** Blocks without what an action that was not done changes (pictures, and where the pointer is), and what is random anyway. */
const comparable = (content: ReadonlyArray<Block>) =>
  content.map((block) =>
    JSON.stringify(block, (key, value: unknown) => (key === "source" || key === "signature" ? "" : value)).replace(
      /position: \d+, \d+/,
      "position"
    )
  )

/** Everything by which a run that was broken off differs from one that was not, and should not. */
export const faultsOf = (played: Played, undisturbed: Played): ReadonlyArray<string> => {
  const results = played.messages.flatMap(({ content }) => content)
  const unknown = results.filter(isUnknown).map((block) => block.tool_use_id)
  const asked = actions.map(([, action]) => action)
  const withoutUnknown = actions.filter(([id]) => !unknown.includes(id)).map(([, action]) => action)
  const executed = played.executed.join(", ")
  return [
    ...played.complaints,
    ...differences(played, undisturbed),
    ...(JSON.stringify(played.task) === JSON.stringify(undisturbed.task)
      ? []
      : [`the task is ${JSON.stringify(played.task)}`]),
    ...(unknown.length > 1 ? [`${unknown.length} outcomes are unknown`] : []),
    ...unknown
      .filter((id) => !actions.some(([own]) => own === id))
      .map((id) => `the outcome of ${String(id)} is unknown`),
    ...(executed === asked.join(", ") || executed === withoutUnknown.join(", ") ? [] : [`the desktop did ${executed}`]),
    ...(played.created === 1 ? [] : [`the agent created ${played.created} tasks`]),
    ...(played.leftovers === 0 ? [] : [`${played.leftovers} rows are left of runs and tools`])
  ]
}

const differences = ({ messages }: Played, undisturbed: Played): ReadonlyArray<string> => {
  if (messages.length !== undisturbed.messages.length) {
    return [`there are ${messages.length} messages, not ${undisturbed.messages.length}`]
  }
  return messages.flatMap(({ content, role }, index) => {
    const expected = undisturbed.messages[index]
    const wanted = expected === undefined ? [] : comparable(expected.content)
    const found = comparable(content)
    const isSame =
      role === expected?.role &&
      found.length === wanted.length &&
      content.every((block, place) => isUnknown(block) || found[place] === wanted[place])
    return isSame ? [] : [`message ${index} is ${found.join(" ")}`]
  })
}
