import type { DateTime, Option } from "effect"
import {
  type ContentBlock,
  type ToolResultBlock,
  type ToolResultContent,
  text,
  toolResult,
  type UserActionBlock
} from "../domain/ContentBlock.ts"
import type { Conversation, Entry } from "../domain/Conversation.ts"
import type { Turn } from "../models/LanguageModel.ts"
import { screenSizeOf } from "./Pictures.ts"
import { Prefix } from "./Prefix.ts"
import { goOn, screenNote, timeNote, usualScreen } from "./Prompt.ts"

const noBeginning = "(The beginning of this conversation is missing.)"

/** The model that is to read the turns, and a digest of what it is sent before them. */
export interface Reader {
  readonly provider: string
  readonly model: string
  readonly preamble: string
  /** When the model is asked, and the person's time zone. */
  readonly now: DateTime.Utc
  readonly timeZone: DateTime.TimeZone
}

/** A conversation for a model, and the digest of all that the model reads of it. */
export interface Rendered {
  readonly turns: ReadonlyArray<Turn>
  readonly prefix: string
}

const unknownOutcome = "The result of this call is not known. Look at the screen before you go on."

/**
 * The conversation as a model may be sent it, whatever the rows look like (docs/contract/agent.md, "always valid"): every tool_use is
 * answered exactly once by the turn after it, results without their call become text, empty texts are left out, turns
 * alternate and the last is the user's. Nothing stored is changed.
 *
 * A model's reasoning is shown to that model alone, and only as long as everything before it is what it was then: newer models
 * refuse it otherwise (https://platform.claude.com/docs/en/build-with-claude/preserved-thinking). So a turn of the user ends with the time
 * at which the model was asked then, and only the last one with the time now.
 */
export const toTurns = (conversation: Conversation, reader: Reader): Rendered => {
  const entries = conversation.entries
  const results = collectResults(entries)
  const answered = new Set<ToolResultBlock>()
  const usedIds = new Set<string>()
  const prefix = new Prefix(reader.preamble)
  const turns: Array<{ role: Turn["role"]; content: Array<ContentBlock> }> = []
  const add = (role: Turn["role"], content: ReadonlyArray<ContentBlock>) => {
    if (content.length === 0) return
    for (const block of content) prefix.add(role, block)
    const last = turns.at(-1)
    if (last?.role === role) last.content.push(...content)
    else turns.push({ role, content: [...content] })
  }
  const screen = new ScreenNotes()
  const heard: Array<ContentBlock> = [...summaryOf(conversation.summary)]
  const endTurn = (at: DateTime.Utc | null) => {
    if (heard.length === 0 && turns.at(-1)?.role === "user") return
    if (heard.length === 0) heard.push(text(turns.length === 0 ? noBeginning : goOn))
    const shown = heard.splice(0).map((block) => screen.added(block))
    add("user", at === null ? shown : withNote(shown, timeNote(at, reader.timeZone)))
  }
  for (const entry of entries) {
    if (entry.role === "ASSISTANT") {
      const seen = new Map<string, string>()
      endTurn(entry.origin?.askedAt ?? null)
      const isReadable = mayReadAgain(entry, reader, prefix.digest)
      const reply = entry.content.flatMap((block) =>
        isOfAssistant(block) && (isReadable || !isReasoning(block)) ? withFreshId(block, seen, usedIds) : []
      )
      add("assistant", reply)
      heard.push(
        ...[...seen].map(([id, freshId]) => {
          const result = results.get(entry)?.get(id)
          if (result === undefined) return toolResult(freshId, [text(unknownOutcome)], true)
          answered.add(result)
          return freshId === id ? result : { ...result, tool_use_id: freshId }
        })
      )
    } else heard.push(...entry.content.flatMap((block) => userBlocks(block, answered)))
  }
  endTurn(reader.now)
  return { turns, prefix: prefix.digest }
}

/** The turn with a note at its end; inside the last result, as a text of its own would end the turn of the tools for some models. */
const withNote = (content: ReadonlyArray<ContentBlock>, note: string): ReadonlyArray<ContentBlock> => {
  const last = content.at(-1)
  return last?.type === "tool_result"
    ? [...content.slice(0, -1), { ...last, content: [...last.content, text(note)] }]
    : [...content, text(note)]
}

/** Says how large the screen is wherever a picture of it has another size than those before. */
class ScreenNotes {
  private told = screenNote(usualScreen)

  added(block: ContentBlock): ContentBlock {
    if (block.type !== "tool_result") return block
    const notes = block.content.flatMap((item) => this.of(item))
    return notes.length === 0 ? block : { ...block, content: [...block.content, ...notes] }
  }

  private of(item: ToolResultContent): ReadonlyArray<ToolResultContent> {
    const size = item.type === "image" ? screenSizeOf(item) : "unknown"
    const note = size === "unknown" ? this.told : screenNote(size)
    if (note === this.told) return []
    this.told = note
    return [text(note)]
  }
}

const mayReadAgain = ({ origin }: Entry, { model, provider }: Reader, prefix: string): boolean =>
  origin !== null && origin.provider === provider && origin.model === model && origin.prefix === prefix

const isReasoning = ({ type }: ContentBlock): boolean => type === "thinking" || type === "redacted_thinking"

const summaryOf = (summary: Conversation["summary"]): ReadonlyArray<ContentBlock> =>
  toArray(summary).map(({ content }) => text(content))

const toArray = <A>(option: Option.Option<A>): ReadonlyArray<A> => (option._tag === "Some" ? [option.value] : [])

/** Results by reply and id: each belongs to the newest reply before it that made the call. */
const collectResults = (entries: ReadonlyArray<Entry>): Map<Entry, Map<string, ToolResultBlock>> => {
  const byReply = new Map<Entry, Map<string, ToolResultBlock>>()
  const openCalls = new Map<string, Entry>()
  for (const entry of entries) {
    for (const block of entry.content) {
      if (entry.role === "ASSISTANT" && block.type === "tool_use") openCalls.set(block.id, entry)
      if (entry.role === "USER" && block.type === "tool_result") {
        const reply = openCalls.get(block.tool_use_id)
        if (reply === undefined) continue
        openCalls.delete(block.tool_use_id)
        const results = byReply.get(reply) ?? new Map<string, ToolResultBlock>()
        byReply.set(reply, results.set(block.tool_use_id, block))
      }
    }
  }
  return byReply
}

const isOfAssistant = (block: ContentBlock): boolean =>
  (block.type === "text" && block.text.trim() !== "") ||
  block.type === "tool_use" ||
  block.type === "thinking" ||
  block.type === "redacted_thinking"

/**
 * Providers want ids to be unique in a conversation: an id that an earlier reply used gets a suffix, and a second call
 * with an id of the same reply is left out. `seen` maps the ids of this reply to what they became. Ids and names have only
 * the characters and the length that every provider takes, and the input is an object.
 */
const withFreshId = (
  block: ContentBlock,
  seen: Map<string, string>,
  usedIds: Set<string>
): ReadonlyArray<ContentBlock> => {
  if (block.type !== "tool_use") return [block]
  if (seen.has(block.id)) return []
  const plainId = block.id.replaceAll(/[^A-Za-z0-9_-]/g, "_").slice(0, 48)
  let freshId = plainId
  for (let suffix = 2; usedIds.has(freshId); suffix++) freshId = `${plainId}_${suffix}`
  usedIds.add(freshId)
  seen.set(block.id, freshId)
  const known = presentable.get(block)
  if (known?.id === freshId) return [known]
  const name = block.name.replaceAll(/[^A-Za-z0-9_-]/g, "_").slice(0, 64) || "unnamed"
  const isRecord = typeof block.input === "object" && block.input !== null && !Array.isArray(block.input)
  const shown = { ...block, id: freshId, name, input: isRecord ? block.input : {} }
  presentable.set(block, shown)
  return [shown]
}

/** Calls as they were last shown: the same objects again, whose digests are known. */
const presentable = new WeakMap<ContentBlock, ContentBlock & { readonly id: string }>()

const userBlocks = (block: ContentBlock, answered: ReadonlySet<ToolResultBlock>): ReadonlyArray<ContentBlock> => {
  switch (block.type) {
    case "text":
      return block.text.trim() === "" ? [] : [block]
    case "image":
    case "document":
      return [block]
    case "tool_result":
      // A result that answered no call still says something about the screen.
      return answered.has(block) ? [] : block.content.filter((item) => item.type !== "text" || item.text.trim() !== "")
    case "user_action":
      return userAction(block)
    default:
      return []
  }
}

/** docs/contract/agent.md, "User control": the action in words, its input as JSON, images as images. */
const userAction = (block: UserActionBlock): ReadonlyArray<ContentBlock> =>
  block.content.map((item) =>
    item.type === "image" ? item : text(`User performed action: ${item.name}\n${JSON.stringify(item.input)}`)
  )
