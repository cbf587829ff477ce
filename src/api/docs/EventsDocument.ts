import { Schema } from "effect"
import packageJson from "../../../package.json" with { type: "json" }
import { Message } from "../../domain/Message.ts"
import { Task } from "../../domain/Task.ts"
import { MessageDelta } from "../../domain/MessageDelta.ts"
import type { TaskEventKind } from "../../domain/TaskEvent.ts"
import * as Example from "./Examples.ts"

interface EventDocs {
  readonly kind: TaskEventKind | "message_delta"
  readonly payload: Schema.Top & Schema.ConstraintDecoder<unknown>
  readonly to: string
  readonly when: string
  readonly example: Schema.Json
}

/** Events that the service emits (docs/contract/socketio.md). */
export const events: ReadonlyArray<EventDocs> = [
  {
    kind: "task_created",
    payload: Task,
    to: "everyone; while accounts are on, its owner and administrators",
    when: "A task was created, by a client or by an agent.",
    example: Example.newborn
  },
  {
    kind: "task_updated",
    payload: Task,
    to: "the task's room",
    when: "Anything of the task changed: status, control, error, times.",
    example: Example.completed
  },
  {
    kind: "new_message",
    payload: Message,
    to: "the task's room",
    when: "A message was stored: of the user, of the agent, results of tools, captured actions. Not the task's first one.",
    example: Example.reply
  },
  {
    kind: "message_delta",
    payload: MessageDelta,
    to: "the task's room, clients with `auth: { deltas: true }` in the handshake",
    when: [
      "The model wrote a piece of its next message, as text or as thinking; twenty times a second at most.",
      "Deltas are never stored and never sent again, and new_message brings the whole message.",
      "`index` counts the pieces of a draft. 0 begins a new draft, which makes the one before void; an empty `text` at 0 ends a draft that came to nothing, as its answer broke off or a person stepped in.",
      "A client that is slow misses pieces: what does not follow the index before is to be ignored, until the next 0 or new_message."
    ].join(" "),
    example: Example.delta
  },
  {
    kind: "task_deleted",
    payload: Schema.String,
    to: "as task_created",
    when: "A task was deleted; the payload is its id.",
    example: Example.task.id
  }
]

/** What Server-Sent Events have besides: `data` is null. */
export const gap = {
  kind: "gap",
  to: "a stream that asked for events since an earlier one",
  when: "Some of the events that were missed are not kept any more: read the tasks again."
} as const

/** Events that clients send: a task's id, or `{"task_id": …}`. An acknowledgement is `{"ok": true}` or `{"ok": false}`. */
export const commands = [
  { name: "join_task", when: "Enters the room of a task." },
  { name: "leave_task", when: "Leaves it." }
] as const

const schemaOf = (schema: Schema.Top) => Schema.toJsonSchemaDocument(schema).schema

const message = (name: string, payload: object, summary: string, example?: Schema.Json) => ({
  name,
  summary,
  payload,
  ...(example === undefined ? {} : { examples: [{ payload: example }] })
})

/** The page's text on the connection. */
export const recovery = [
  "The default namespace of Socket.IO, path `/socket.io/`. Each event has one argument.",
  "Clients that can use it get connection state recovery: their rooms and missed events come back within two minutes, and each event has a second argument, the offset to come back with.",
  "These are browsers, which send an `Origin` and a `User-Agent` that begins with `Mozilla/`, and clients that ask for it in the handshake: `auth: { recovery: true }`.",
  "Pieces of messages that models are writing go to clients that ask for them in the handshake: `auth: { deltas: true }`. They have no offset, and are not recovered.",
  "A connection has to enter the namespace within 10 seconds, and may send packets of 64 kB until then, of 1 MB afterwards."
].join(" ")

/** The Socket.IO events as AsyncAPI 3.0 (https://www.asyncapi.com/docs/reference/specification/v3.0.0). */
export const eventsDocument = {
  asyncapi: "3.0.0",
  info: { title: "Bytebot agent: events", version: packageJson.version },
  channels: {
    "/": {
      address: "/",
      description: recovery,
      messages: Object.fromEntries([
        ...events.map(({ example, kind, payload, to, when }) => [
          kind,
          message(kind, schemaOf(payload), `${when} To: ${to}.`, example)
        ]),
        ...commands.map(({ name, when }) => [name, message(name, { type: "string" }, when, Example.task.id)])
      ])
    }
  },
  operations: Object.fromEntries([
    ...events.map(({ kind }) => [
      kind,
      { action: "send", channel: { $ref: "#/channels/~1" }, messages: [{ $ref: `#/channels/~1/messages/${kind}` }] }
    ]),
    ...commands.map(({ name }) => [
      name,
      { action: "receive", channel: { $ref: "#/channels/~1" }, messages: [{ $ref: `#/channels/~1/messages/${name}` }] }
    ])
  ])
}
