import { Predicate } from "effect"
import { type Assembly, type Fields, fieldsOf, mostParts, wordsIn } from "./AnswerStream.ts"
import { type Hear, unheard } from "./LanguageModel.ts"

interface Choice {
  fields: Fields
  message: Fields
  readonly calls: Map<number, Fields>
}

const list = (value: unknown): ReadonlyArray<unknown> => (Array.isArray(value) ? value : [])

/** Fields of a delta that say what the part is, and are whole each time; all other texts are pieces. */
const whole = new Set(["role", "type", "id", "format", "index"])

/**
 * Puts chunks of Chat Completions together: texts are appended, whatever they are called (`content`, `reasoning_content`, `refusal`),
 * parts of lists belong together by their `index`, and of what is neither the last value stays. The SDK's own accumulator keeps only the
 * last chunk of fields that it does not know, and breaks on what servers leave out.
 */
export class ProxyStream implements Assembly {
  private answered: Fields = {}
  private readonly choices = new Map<number, Choice>()
  private isOver = false
  private readonly hear: Hear
  private failure: Fields | undefined

  constructor(hear: Hear = unheard) {
    this.hear = hear
  }

  add(given: unknown): boolean {
    const { choices, ...chunk } = fieldsOf(given)
    if (Predicate.isNotNullish(chunk.error)) this.failure = chunk
    this.answered = { ...this.answered, ...withoutNulls(chunk) }
    for (const entry of list(choices)) this.extend(fieldsOf(entry))
    return this.failure !== undefined
  }

  done(): void {
    this.isOver = true
  }

  answer(): unknown {
    if (this.failure !== undefined) return this.failure
    const choices = [...this.choices].sort(([a], [b]) => a - b).map(([, choice]) => choice)
    if (!this.isOver && !choices.some(({ fields }) => Predicate.isNotNullish(fields.finish_reason))) return undefined
    return {
      ...this.answered,
      choices: choices.map(({ calls, fields, message }) => ({
        ...fields,
        message:
          calls.size === 0
            ? message
            : { ...message, tool_calls: [...calls.values()].map(({ index: _, ...call }) => call) }
      }))
    }
  }

  private extend({ delta, message, ...fields }: Fields): void {
    const index = typeof fields.index === "number" ? fields.index : 0
    const choice = this.choices.get(index) ?? { fields: {}, message: {}, calls: new Map() }
    if (this.choices.size < mostParts) this.choices.set(index, choice)
    choice.fields = { ...choice.fields, ...withoutNulls(fields) }
    const { tool_calls, ...words } = fieldsOf(delta ?? message)
    choice.message = appended(choice.message, words)
    for (const call of list(tool_calls)) extendCall(choice.calls, fieldsOf(call))
    if (index !== 0) return
    this.hear("thinking", wordsIn(words.reasoning_content) || wordsIn(words.reasoning))
    this.hear("text", wordsIn(words.content))
  }
}

/** Some servers give no index: a call with an id of its own begins a new one. */
const extendCall = (calls: Map<number, Fields>, call: Fields): void => {
  const last = Math.max(-1, ...calls.keys())
  const before = calls.get(last)
  const isNew = before === undefined || (wordsIn(call.id) !== "" && call.id !== before.id)
  const index = typeof call.index === "number" ? call.index : isNew ? last + 1 : last
  if (calls.size < mostParts) calls.set(index, appended(calls.get(index) ?? {}, call))
}

/** `before` with a delta appended. Nesting is a server's to choose, and bounded. */
const appended = (before: Fields, delta: Fields, depth = 0): Fields => {
  const fields: Record<string, unknown> = { ...before }
  for (const [key, value] of Object.entries(delta)) {
    const known = fields[key]
    if (value === null || value === undefined) fields[key] ??= null
    else if (typeof value === "string" && typeof known === "string" && !whole.has(key)) fields[key] = known + value
    else if (Predicate.isObject(value) && Predicate.isObject(known) && depth < 8) {
      fields[key] = appended(fieldsOf(known), fieldsOf(value), depth + 1)
    } else if (Array.isArray(value) && Array.isArray(known)) fields[key] = merged(known, value, depth)
    else fields[key] = value
  }
  return fields
}

/** As OpenRouter's `reasoning_details`: entries of an index that was there go on with it. */
const merged = (
  known: ReadonlyArray<unknown>,
  added: ReadonlyArray<unknown>,
  depth: number
): ReadonlyArray<unknown> => {
  const entries = [...known]
  for (const entry of added) {
    const { index } = fieldsOf(entry)
    const at = typeof index === "number" ? entries.findIndex((one) => fieldsOf(one).index === index) : -1
    if (at >= 0 && depth < 8) entries[at] = appended(fieldsOf(entries[at]), fieldsOf(entry), depth + 1)
    else if (entries.length < mostParts) entries.push(entry)
  }
  return entries
}

const withoutNulls = (fields: Fields): Fields =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => Predicate.isNotNullish(value)))
