import { hash } from "node:crypto"
import { type DateTime, type Option, Predicate } from "effect"
import {
  type ContentBlock,
  type ToolResultBlock,
  type ToolResultContent,
  type ToolUseBlock,
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

/** To be raised by a release that shows the same rows otherwise: reasoning is bound to what the model read before it. */
export const rendering = 2

/** The model that is to read the turns, and a digest of what it is sent before them. */
export interface Reader {
  readonly provider: string
  readonly model: string
  readonly preamble: string
  /** When the model is asked, and the person's time zone. */
  readonly now: DateTime.Utc
  readonly timeZone: DateTime.TimeZone
  /** Ids of replies whose reasoning a provider has refused to take back. */
  readonly refused: ReadonlySet<string>
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
      const isOwn = wrote(entry, reader)
      const reply = entry.content.flatMap((block): ReadonlyArray<ContentBlock> => {
        if (!isOfAssistant(block) || (isReasoning(block) && !isReadable)) return []
        return block.type === "tool_use" ? shownCall(block, isOwn, reader, seen, usedIds) : [block]
      })
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

const wrote = ({ origin }: Entry, { model, provider }: Reader): boolean =>
  origin !== null && origin.provider === provider && origin.model === model

/** Claude, behind a gateway too, binds its reasoning to everything that it had read; the others do not. */
const isBound = ({ model, provider }: Reader): boolean => provider === "anthropic" || /claude|anthropic/i.test(model)

const mayReadAgain = (entry: Entry, reader: Reader, prefix: string): boolean =>
  wrote(entry, reader) && (!isBound(reader) || entry.origin?.prefix === prefix) && !reader.refused.has(entry.id)

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
 * A call as a model may read it; `seen` maps the ids of its reply to what they became, and a second call with an id of the same reply is
 * left out. The model that made the call gets it back as it was: a gateway may carry a signature in its id. Another one gets an id that all
 * providers take, and nothing of what was attached. Names have only the characters that every provider takes, and the input is an object.
 */
const shownCall = (
  block: ToolUseBlock,
  isOwn: boolean,
  { provider }: Reader,
  seen: Map<string, string>,
  usedIds: Set<string>
): ReadonlyArray<ToolUseBlock> => {
  if (seen.has(block.id)) return []
  // The vendors' own ids are plain; one that is not was made up by what stands before them, and they refuse it.
  let id = isOwn && (provider === "proxy" || isPlain(block.id)) ? block.id : idForOthers(block.id)
  for (let suffix = 2; usedIds.has(id); suffix++) id = idForOthers(`${block.id} ${suffix}`)
  usedIds.add(id)
  seen.set(block.id, id)
  const known = presentable.get(block)
  if (known?.id === id && known.isOwn === isOwn) return [known.shown]
  const { extra, ...rest } = block
  const name = block.name.replaceAll(/[^A-Za-z0-9_-]/g, "_").slice(0, 64) || "unnamed"
  const input = Predicate.isObject(block.input) ? block.input : {}
  const shown = { ...rest, id, name, input, ...(isOwn && extra !== undefined ? { extra } : {}) }
  presentable.set(block, { id, isOwn, shown })
  return [shown]
}

const isPlain = (id: string): boolean => /^[A-Za-z0-9_-]{1,64}$/.test(id)

/**
 * Nine letters and digits are all that Mistral takes (mistral-common, `InvalidToolCallIdException`), and the other providers take them, too.
 * Ids of that kind stay as they are.
 */
const idForOthers = (id: string): string =>
  /^[A-Za-z0-9]{9}$/.test(id)
    ? id
    : hash("sha256", id, "base64")
        .replaceAll(/[^A-Za-z0-9]/g, "")
        .slice(0, 9)

/** Calls as they were last shown: the same objects again, whose digests are known. */
const presentable = new WeakMap<
  ToolUseBlock,
  { readonly id: string; readonly isOwn: boolean; readonly shown: ToolUseBlock }
>()

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

/** The turns with calls and results in words: a request without tools may hold none (platform.claude.com/docs/en/api/messages). */
export const withoutTools = (turns: ReadonlyArray<Turn>): ReadonlyArray<Turn> =>
  turns.map(({ content, role }) => ({
    role,
    content: content.flatMap((block): ReadonlyArray<ContentBlock> => {
      if (block.type === "tool_use") return [text(`(Called ${block.name} with ${JSON.stringify(block.input)}.)`)]
      return block.type === "tool_result"
        ? [text("(Its result:)"), ...block.content]
        : isReasoning(block)
          ? []
          : [block]
    })
  }))
