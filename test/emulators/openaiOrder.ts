import type { InputItem } from "./openaiItems.ts"
import { invalid } from "./openaiShape.ts"

/**
 * What must hold between items. The real API only asks that every call has an output somewhere after it; here the outputs follow
 * their calls at once, which is what a careful client sends.
 */
export const checkOrder = (items: ReadonlyArray<InputItem>): void => {
  checkIds(items)
  checkCalls(items)
  checkReasoning(items)
}

const refuse = (message: string) => invalid("input", message, null)

const typeOf = (item: InputItem): string => item.type ?? "message"

const idOf = (item: InputItem): string | undefined =>
  "id" in item && typeof item.id === "string" ? item.id : undefined

const checkIds = (items: ReadonlyArray<InputItem>): void => {
  const seen = new Set<string>()
  for (const id of items.flatMap((item) => idOf(item) ?? [])) {
    if (seen.has(id)) {
      throw refuse(`Duplicate item found with id ${id}. Remove duplicate items from your input and try again.`)
    }
    seen.add(id)
  }
}

const unanswered = (id: string) => refuse(`No tool output found for function call ${id}.`)

const checkCalls = (items: ReadonlyArray<InputItem>): void => {
  const called = new Set<string>()
  const open = new Set<string>()
  let answering = false
  for (const item of items) {
    if (item.type === "function_call_output") {
      answering = true
      if (!open.delete(item.call_id)) {
        throw refuse(`No tool call found for function call output with call_id ${item.call_id}.`)
      }
      continue
    }
    const [first] = open
    const isOfModel =
      item.type === "function_call" || item.type === "reasoning" || ("role" in item && item.role === "assistant")
    if (first !== undefined && (answering || !isOfModel)) throw unanswered(first)
    answering = false
    if (item.type !== "function_call") continue
    if (called.has(item.call_id)) throw refuse(`Duplicate function call found with call_id ${item.call_id}.`)
    called.add(item.call_id)
    open.add(item.call_id)
  }
  const [first] = open
  if (first !== undefined) throw unanswered(first)
}

/**
 * Reasoning stands before what it led to: a call, a message of the assistant, or more reasoning. With an id it wants that of the message;
 * not that of a call (microsoft/vscode-copilot-chat, src/platform/endpoint/node/responsesApi.ts, sends calls without one).
 */
const checkReasoning = (items: ReadonlyArray<InputItem>): void => {
  for (const [i, item] of items.entries()) {
    if (item.type !== "reasoning") continue
    const next = items[i + 1]
    const isFollowed =
      next !== undefined &&
      (next.type === "reasoning" || next.type === "function_call" || ("role" in next && next.role === "assistant"))
    const isPaired =
      item.id === undefined || next?.type === "function_call" || (next !== undefined && idOf(next) !== undefined)
    if (isFollowed && isPaired) continue
    throw refuse(
      `Item '${item.id ?? `input[${i}]`}' of type '${typeOf(item)}' was provided without its required following item.`
    )
  }
}
