import { Schema } from "effect"
import { summaryRequest } from "../../src/agent/Prompt.ts"
import type { ReplyBlock, Scripted } from "../emulators/modelReplies.ts"
import type { Provider } from "../support/ModelProviders.ts"
import type { Disturbances } from "./Disturbances.ts"

/** A task with a bit of everything, and the model that works on it. */

const use = (id: string, name: string, input: unknown = {}): ReplyBlock => ({ type: "tool_use", id, name, input })

const replies: ReadonlyArray<ReadonlyArray<ReplyBlock>> = [
  [
    { type: "text", text: "I click first." },
    use("a1", "computer_click_mouse", { coordinates: { x: 10, y: 20 }, button: "left", clickCount: 1 })
  ],
  [use("b1", "computer_type_text", { text: "hello" }), use("b2", "computer_type_keys", { keys: ["Return"] })],
  [use("c1", "computer_screenshot")],
  [use("d1", "computer_cursor_position")],
  [use("e1", "computer_read_file", { path: "/home/user/Desktop/notes.txt" })],
  [use("f1", "create_task", { description: "later", type: "SCHEDULED", scheduledFor: "2099-01-01T00:00:00.000Z" })],
  [
    use("g1", "computer_move_mouse", { coordinates: { x: 30, y: 40 } }),
    use("g2", "set_task_status", { status: "completed", description: "all of it" })
  ]
]

export const description = "a bit of everything"

/** A context window of this size is nearly full with the reply from `crowdedFrom` on. */
const contextWindow = 200_000

export const newTask = ({ model, name }: Provider) => ({
  description,
  model: { provider: name, name: model, title: model, contextWindow },
  files: [{ name: "notes.txt", base64: "data:text/plain;base64,aGVsbG8=", type: "text/plain", size: 5 }]
})

/** What changes something on the desktop, by the tool_use that asks for it, in the script's order. */
export const actions: ReadonlyArray<readonly [use: string, action: string]> = [
  ["a1", "click_mouse"],
  ["b1", "type_text"],
  ["b2", "type_keys"],
  ["g1", "move_mouse"]
]

/** The reply from which on the conversation is so long that it wants a summary, until there is one. */
const crowdedFrom = 3

/** By these a reply is known in a conversation, as any of the providers writes it: no two replies begin with the same tool. */
const marks = replies.map(
  (content) => `"name":"${content.flatMap((block) => (block.type === "tool_use" ? [block.name] : []))[0]}"`
)

const decodeRequest = Schema.decodeUnknownSync(
  Schema.Union([
    Schema.Struct({ messages: Schema.Array(Schema.Unknown) }),
    Schema.Struct({ input: Schema.Array(Schema.Unknown) }),
    Schema.Struct({ contents: Schema.Array(Schema.Unknown) })
  ])
)

const conversationOf = (request: unknown): ReadonlyArray<unknown> => {
  const body = decodeRequest(request)
  if ("messages" in body) return body.messages
  return "input" in body ? body.input : body.contents
}

/** What the database holds of the conversation: replies, those that no summary hides, summaries. */
export interface Stored {
  readonly replies: number
  readonly visible: number
  readonly summaries: number
}

/**
 * The emulated model: gives the reply that comes after those that are stored, and complains about a question that was asked without
 * having read them. Every call is a step at which its caller may be disturbed.
 */
export const modelOf = (wiring: {
  readonly stored: () => Promise<Stored>
  readonly complain: (complaint: string) => void
  readonly disturbances: Disturbances
}): Scripted<unknown> => {
  const answer = async (conversation: ReadonlyArray<unknown>, isSummary: boolean) => {
    const stored = await wiring.stored()
    if (isSummary) {
      if (stored.summaries > 0) wiring.complain("was asked for a summary that is stored")
      return { content: [{ type: "text" as const, text: "A summary." }] }
    }
    const shown = JSON.stringify(conversation)
    const read = marks.filter((mark) => shown.includes(mark)).length
    if (read !== stored.visible) wiring.complain(`was shown ${read} replies of ${stored.visible}`)
    const content = replies[stored.replies]
    if (content === undefined) wiring.complain("was asked again after the end")
    const isCrowded = stored.replies >= crowdedFrom && stored.summaries === 0
    return { content: content ?? [], ...(isCrowded ? { usage: { input_tokens: 190_000 } } : {}) }
  }
  return async (request) => {
    const conversation = conversationOf(request)
    const isSummary = JSON.stringify(conversation.at(-1)).includes(summaryRequest)
    const { disturbances } = wiring
    const when = disturbances.reach(`model: ${isSummary ? "summary" : "reply"}`)
    if (when === "before") disturbances.strike()
    if (when === "before" && disturbances.isDeadly) return { hang: true }
    const reply = await answer(conversation, isSummary)
    // The service may have got the answer by then, or not.
    if (when === "after") setImmediate(() => disturbances.strike())
    return reply
  }
}

const statements: ReadonlyArray<readonly [RegExp, string]> = [
  [/"queuedAt" = .* WHERE "status" = 'PENDING' AND "queuedAt" IS NULL/s, ""],
  [/"TaskEvent" e LEFT JOIN/, ""],
  [/WHERE r\."active" AND r\."desktop" = .* AND t\."control" = 'USER'/s, ""],
  [/INSERT INTO "Task"/, "create the task"],
  [/WITH next AS/, "claim"],
  [/UPDATE "Task" task SET "status"/, "finish"],
  [/INSERT INTO "Message"/, "append a message"],
  [/INSERT INTO "Summary"/, "store the summary"],
  [/INSERT INTO "ToolExecution"/, "start a tool"],
  [/UPDATE "ToolExecution"/, "finish a tool"],
  [/FROM "ToolExecution"/, "read the journal"],
  [/FROM "ModelCall"/, "read the usage"],
  [/FROM "Summary"/, "read the summary"],
  [/FROM "Message"/, "read messages"],
  [/FROM "File"/, "read the files"],
  [/"Task"/, "read the task"],
  [/^BEGIN/, "begin"],
  [/^COMMIT/, "commit"],
  [/INSERT INTO "cluster_messages"/, "store a message of the cluster"],
  [/UPDATE "cluster_messages" SET processed/, "mark a message of the cluster"],
  [/INSERT INTO "cluster_replies"/, "store a reply of the cluster"]
]

/** What a group of statements is about; undefined where it comes by the clock, not by the task. */
export const nameOfStatements = (texts: ReadonlyArray<string>): string | undefined => {
  const names = texts.flatMap((text) => statements.find(([pattern]) => pattern.test(text))?.[1] ?? [])
  const named = names.filter((name) => name !== "")
  return named.length === 0 ? undefined : `sql: ${named.join(", ")}`
}

/** Whether only the worker that runs the task sends such statements. */
export const isOfRun = (texts: ReadonlyArray<string>): boolean =>
  texts.some((text) => /"ToolExecution"|FROM "ModelCall"|r\."epoch" = /.test(text))
