import { stripVTControlCharacters, styleText } from "node:util"
import { DateTime, Option, Schema } from "effect"
import { ContentBlock } from "../domain/ContentBlock.ts"
import type { Message } from "../domain/Message.ts"
import { finishedStatuses, type Task, type TaskStatus } from "../domain/Task.ts"
import { resultText } from "../domain/TaskWords.ts"
import type { WatchedEvent } from "../domain/WatchedEvent.ts"

/** How tasks and events read on a terminal. `styleText` writes no colours where stdout is no terminal, or NO_COLOR is set. */

const colours = {
  PENDING: "gray",
  RUNNING: "blue",
  NEEDS_HELP: "yellow",
  NEEDS_REVIEW: "yellow",
  COMPLETED: "green",
  CANCELLED: "gray",
  FAILED: "red"
} as const satisfies { readonly [status in TaskStatus]: string }

const statusText = (status: TaskStatus, width = 0): string => styleText(colours[status], status.padEnd(width))

/** On one line, and without what would move a terminal's cursor. */
const oneLine = (text: string): string => stripVTControlCharacters(text).replaceAll(/\s+/g, " ").trim()

const units = [
  ["day", 86_400_000],
  ["hour", 3_600_000],
  ["minute", 60_000]
] as const

/** "3 minutes ago"; less than a minute is "just now". Both in milliseconds since 1970. */
export const ago = (then: number, now: number): string => {
  const [unit, size] = units.find(([, ms]) => now - then >= ms) ?? []
  if (unit === undefined || size === undefined) return "just now"
  const count = Math.floor((now - then) / size)
  return `${count} ${unit}${count === 1 ? "" : "s"} ago`
}

/** A table for terminals of `columns` characters: short ids, relative times (`now`: ms since 1970). */
export const taskTable = (tasks: ReadonlyArray<Task>, columns: number, now: number): ReadonlyArray<string> => {
  if (tasks.length === 0) return ["No tasks"]
  const row = (id: string, status: string, priority: string, created: string, description: string) =>
    `${id.padEnd(8)}  ${status}  ${priority.padEnd(8)}  ${created.padEnd(14)}  ${description.slice(0, Math.max(20, columns - 50))}`
  return [
    styleText("bold", row("ID", "STATUS".padEnd(12), "PRIORITY", "CREATED", "DESCRIPTION")),
    ...tasks.map(({ createdAt, description, id, priority, status }) =>
      row(
        id.slice(0, 8),
        statusText(status, 12),
        priority,
        ago(DateTime.toEpochMillis(createdAt), now),
        oneLine(description)
      )
    )
  ]
}

/** A task on one line, for scripts: whole id, ISO 8601 time. */
export const taskLine = (task: Task): string =>
  `${task.id}  ${statusText(task.status, 12)} ${task.priority.padEnd(6)} ${DateTime.formatIso(task.createdAt)}  ${oneLine(task.description).slice(0, 80)}`

/** What a person can do where a task waits for one. */
const answerHint = ({ id, status }: Task): ReadonlyArray<string> =>
  status === "NEEDS_HELP"
    ? [
        `The task waits for you. Answer:  bytebot-agent task message ${id} "…"`,
        `Then hand it back to the agent:  bytebot-agent task resume ${id}`
      ]
    : []

/** All that is known of a task but its conversation and its files. */
export const taskDetails = (task: Task, now: number): ReadonlyArray<string> => {
  const result = resultText(task)
  const instant = (name: string, at: DateTime.Utc | null) =>
    at === null ? [] : [`${name}: ${DateTime.formatIso(at)} (${ago(DateTime.toEpochMillis(at), now)})`]
  return [
    ...instant("created", task.createdAt),
    ...instant("completed", task.completedAt),
    ...(result === null ? [] : [`result: ${result}`]),
    ...(task.error === null ? [] : [`error: ${task.error}`]),
    ...answerHint(task)
  ]
}

const decodeBlock = Schema.decodeUnknownOption(ContentBlock)

type Speaker = "user" | "agent" | "tool"

/** What a block says, by whom; pictures are named, not shown. */
const blockLines = (role: Message["role"], block: ContentBlock): ReadonlyArray<readonly [Speaker, string]> => {
  const speaker = role === "USER" ? "user" : "agent"
  switch (block.type) {
    case "text":
      return block.text.split("\n").map((text) => [speaker, text] as const)
    case "tool_use":
      return [[speaker, `→ ${block.name} ${JSON.stringify(block.input)}`]]
    case "tool_result":
      return block.content.map(
        (part) => ["tool", part.type === "text" ? `← ${part.text}` : `← (${part.type})`] as const
      )
    case "user_action":
      return [["user", "(an action of the user)"]]
    default:
      return []
  }
}

const speakerColours = { user: "cyan", agent: "magenta", tool: "gray" } as const

/** A message in lines, each with who says it: the user, the agent, or a tool's result. */
const messageLines = ({ content, role }: Message): ReadonlyArray<string> =>
  content.flatMap((stored) =>
    Option.match(decodeBlock(stored), {
      onNone: () => [],
      onSome: (block) =>
        blockLines(role, block).map(
          ([speaker, text]) =>
            `${styleText(speakerColours[speaker], speaker.padEnd(5))}  ${stripVTControlCharacters(text)}`
        )
    })
  )

/** How an event of a watched task shows. */
export const eventLines = (event: WatchedEvent): ReadonlyArray<string> => {
  switch (event._tag) {
    case "TaskCreated":
    case "TaskUpdated": {
      const { error, status } = event.task
      return [
        `${styleText(colours[status], `[${status}]`)}${error === null ? "" : ` ${error}`}`,
        ...(event._tag === "TaskUpdated" ? answerHint(event.task) : [])
      ]
    }
    case "NewMessage":
      return messageLines(event.message)
    case "MessageDelta":
      return []
    case "TaskDeleted":
      return ["[DELETED]"]
    case "Gap":
      return ["(some events are not kept any more)"]
  }
}

/** Whether nothing follows the event, unless the task is resumed. */
export const isEnd = (event: WatchedEvent): boolean =>
  event._tag === "TaskDeleted" || (event._tag === "TaskUpdated" && finishedStatuses.includes(event.task.status))

/** Addresses of the pictures in a message that was listed with `images=urls`, in their order. */
export const imageAddresses = (content: Schema.Json): ReadonlyArray<string> => {
  if (typeof content !== "object" || content === null) return []
  if ("url" in content && typeof content.url === "string" && content.type === "url") return [content.url]
  const parts: ReadonlyArray<Schema.Json> = Object.values(content)
  return parts.flatMap(imageAddresses)
}
