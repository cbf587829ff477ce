import type { Schema } from "effect"
import packageJson from "../../../package.json" with { type: "json" }
import * as Example from "./Examples.ts"

/** Documentation of an operation beyond its types. */
export interface OperationDocs {
  readonly summary: string
  readonly description?: string
  /** Of the request's JSON body. */
  readonly request?: Schema.Json
  /** Of the JSON body of a successful answer. */
  readonly response?: Schema.Json
}

const unchanging = "The bytes as they are stored. They never change, so that caches may keep them."
const stream =
  "Server-Sent Events: `event` is the kind, `data` the payload as Socket.IO sends it, `id` a position. With `Last-Event-ID` or `after` everything missed comes first; `gap` says that some of it is not kept any more."

/** By the operation's id: group and endpoint. test/docs checks that none is missing and that the examples fit. */
export const operations: { readonly [operationId: string]: OperationDocs } = {
  "root.greeting": { summary: "Greets, as the original does" },
  "health.overview": {
    summary: "Whether the service can work",
    description: "503 with a `reason` while it starts, waits for migrations, stops, or its database is away.",
    response: Example.health
  },
  "health.detailed": { summary: "The same with pool, migrations and uptime", response: Example.detailedHealth },
  "health.ready": {
    summary: "Whether requests should be sent here",
    response: { status: "ready", timestamp: Example.health.timestamp }
  },
  "health.live": {
    summary: "Whether the process answers",
    response: { status: "alive", timestamp: Example.health.timestamp, uptime_seconds: 12.3 }
  },
  "models.list": { summary: "The models that a new task can choose from", response: [Example.model] },
  "tasks.create": {
    summary: "Create a task",
    description:
      "Also as `application/x-www-form-urlencoded`, or as `multipart/form-data` with a part `files` for each file. `base64` may be a data URL. Without `model` the default model runs it; with `desktop` it waits for that desktop. The answer has no `files`.",
    request: Example.newTask,
    response: Example.task
  },
  "tasks.list": {
    summary: "List tasks, newest first",
    description:
      "`statuses` (a comma list) wins over `status`; `priority`, `type` and `createdBy` take comma lists, too. `q`: each of its words begins a word of the description. With `after`, empty at first, pages go by cursor: tasks that are created meanwhile do not shift them, `page` has no meaning, and `next` is the `after` of the next page, null at the end.",
    response: { tasks: [Example.task], total: 1, totalPages: 1 }
  },
  "tasks.inProgress": { summary: "The RUNNING task that was taken up last, or null", response: Example.task },
  "tasks.update": {
    summary: "Change fields of a task",
    description:
      "A new status ends what the agent is doing with the task: PENDING and RUNNING let it begin again, NEEDS_HELP gives control to the user, COMPLETED sets `completedAt` unless it is given. null clears an instant.",
    request: { priority: "URGENT", status: "PENDING" },
    response: { ...Example.task, priority: "URGENT", status: "PENDING" }
  },
  "tasks.get": { summary: "A task with its files", response: Example.taskWithFiles },
  "tasks.usage": { summary: "Tokens, model and cost of every call of a task", response: Example.usage },
  "tasks.remove": { summary: "Delete a task with all that belongs to it", description: "A running one stops at once." },
  "tasks.takeover": {
    summary: "Take the desktop over",
    description: "The agent stops at once; what the user does is captured as messages.",
    response: { ...Example.task, control: "USER" }
  },
  "tasks.resume": { summary: "Hand the desktop back to the agent", response: Example.task },
  "tasks.cancel": { summary: "End a task for good", response: { ...Example.task, status: "CANCELLED" } },
  "messages.add": {
    summary: "Say something to the agent",
    request: { message: "Use the second link" },
    response: Example.taskWithFiles
  },
  "messages.list": {
    summary: "The messages of a task, oldest first",
    description: "An unknown task has none.",
    response: [Example.message]
  },
  "messages.summaries": {
    summary: "What the model wrote of the conversation's older parts, oldest first",
    response: [Example.summary]
  },
  "messages.raw": { summary: "The same", response: [Example.message] },
  "messages.processed": {
    summary: "The messages in groups, as a page shows them",
    description: "Back-to-back messages of one role; what the user did while in control has `take_over`.",
    response: [{ role: "USER", messages: [Example.message], take_over: false }]
  },
  "attachments.file": { summary: "A file of a task", description: unchanging },
  "attachments.image": { summary: "A picture of a message, counted from 0", description: unchanging },
  "events.all": { summary: "The events of all tasks that are yours", description: stream },
  "events.task": { summary: "The events of a task", description: stream },
  "desktops.list": { summary: "The desktops, and how they are", response: [Example.desktop] },
  "apiKeys.create": {
    summary: "Make a key for a machine",
    description: "The key itself is shown once. A caller with an API key can't make another one.",
    request: { name: "nightly report" },
    response: { ...Example.apiKey, key: "bytebot_Zb3kQ1…" }
  },
  "apiKeys.list": { summary: "One's own keys", response: [Example.apiKey] },
  "apiKeys.revoke": { summary: "Revoke a key", description: "Sockets that were opened with it are closed." },
  "operations.version": {
    summary: "What runs",
    response: { service: "bytebot-agent", version: packageJson.version, node: "v24.21.0" }
  },
  "operations.sockets": {
    summary: "Open sockets, and the rooms they are in",
    response: { websocket: { total_connections: 1, total_rooms: 1, rooms: { [`task_${Example.task.id}`]: 1 } } }
  }
}
