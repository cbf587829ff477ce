import { DateTime, Option, Schema } from "effect"
import type { Task, TaskStatus } from "./Task.ts"

/** How people read the states of tasks: the same words in the command line and the console. */

export const statusWords = {
  PENDING: "Waiting",
  RUNNING: "Working",
  NEEDS_HELP: "Needs you",
  NEEDS_REVIEW: "Needs review",
  COMPLETED: "Completed",
  CANCELLED: "Cancelled",
  FAILED: "Failed"
} as const satisfies { readonly [status in TaskStatus]: string }

const decodeDescribed = Schema.decodeUnknownOption(Schema.Struct({ description: Schema.String }))

/** Stored as {"description": "…"} by this service; older writers left other shapes. Null where there is none. */
export const resultText = ({ result }: Pick<Task, "result">): string | null =>
  result === null
    ? null
    : Option.match(decodeDescribed(result), {
        onNone: () => JSON.stringify(result),
        onSome: ({ description }) => description
      })

/** Whether the task waits for a person: a question, a review, or the desktop in a person's hands. */
export const needsPerson = ({ control, status }: Pick<Task, "status" | "control">): boolean =>
  status === "NEEDS_HELP" || status === "NEEDS_REVIEW" || (status === "RUNNING" && control === "USER")

/** What is to be said of the state beyond its word, such as "Which account should I use?"; null where there is nothing. `now`: ms since 1970. */
export const taskReason = (task: Task, now: number): string | null => {
  switch (task.status) {
    case "PENDING":
      if (task.scheduledFor !== null && DateTime.toEpochMillis(task.scheduledFor) > now) {
        return `Scheduled for ${DateTime.formatIso(task.scheduledFor)}`
      }
      return task.error ?? "For a desktop"
    case "RUNNING":
      return task.control === "USER" ? "You control the desktop" : task.error
    case "NEEDS_HELP":
    case "NEEDS_REVIEW":
    case "COMPLETED":
      return resultText(task)
    case "FAILED":
      return task.error
    case "CANCELLED":
      return null
  }
}
