import { DateTime, Effect, Option, Schema, Stream } from "effect"
import { Argument, Command, Flag } from "effect/cli"
import { ContentBlock } from "../domain/ContentBlock.ts"
import { finishedStatuses, Task, TaskId, TaskPriority, TaskStatus } from "../domain/Task.ts"
import type { WatchedEvent } from "../domain/WatchedEvent.ts"
import { connectionFlags, print, restClient, rpcClient } from "./ServiceConnection.ts"

/** The task that was watched has ended otherwise than completed. */
export class TaskNotCompleted extends Schema.TaggedError<TaskNotCompleted>()("TaskNotCompleted", {
  message: Schema.String
}) {}

const id = Argument.String("id").pipe(
  Argument.withDescription("The task's id"),
  Argument.map((text) => TaskId.make(text))
)

const encodeTask = Schema.encodeSync(Schema.fromJsonString(Task))

const line = (task: Task): string =>
  `${task.id}  ${task.status.padEnd(12)} ${task.priority.padEnd(6)} ${DateTime.formatIso(task.createdAt)}  ${task.description.replaceAll(/\s+/g, " ").slice(0, 80)}`

const show = (task: Task, json: boolean) => print(json ? encodeTask(task) : line(task))

const decodeBlock = Schema.decodeUnknownOption(ContentBlock)

/** What a message says, in lines; pictures are named, not shown. */
const messageLines = (content: ReadonlyArray<Schema.Json>): ReadonlyArray<string> =>
  content.flatMap((stored) =>
    Option.match(decodeBlock(stored), {
      onNone: () => [],
      onSome: (block) => {
        switch (block.type) {
          case "text":
            return block.text.split("\n")
          case "tool_use":
            return [`→ ${block.name} ${JSON.stringify(block.input)}`]
          case "tool_result":
            return block.content.map((part) => (part.type === "text" ? `← ${part.text}` : `← (${part.type})`))
          case "user_action":
            return ["(an action of the user)"]
          default:
            return []
        }
      }
    })
  )

/** How an event shows on the terminal. */
const eventLines = (event: WatchedEvent): ReadonlyArray<string> => {
  switch (event._tag) {
    case "TaskCreated":
    case "TaskUpdated":
      return [`[${event.task.status}]${event.task.error === null ? "" : ` ${event.task.error}`}`]
    case "NewMessage":
      return messageLines(event.message.content).map(
        (text) => `${event.message.role === "USER" ? "user " : "agent"}  ${text}`
      )
    case "TaskDeleted":
      return ["[DELETED]"]
    case "Gap":
      return ["(some events are not kept any more)"]
  }
}

const isEnd = (event: WatchedEvent): boolean =>
  event._tag === "TaskDeleted" || (event._tag === "TaskUpdated" && finishedStatuses.includes(event.task.status))

const tell = (flags: { readonly json: boolean }, event: WatchedEvent) =>
  flags.json ? print(JSON.stringify(event)) : Effect.forEach(eventLines(event), print, { discard: true })

/** A task that has ended otherwise than completed is a failure of whoever watches it. */
const ending = ({ error, status }: Task) =>
  status === "COMPLETED"
    ? Effect.void
    : Effect.fail(new TaskNotCompleted({ message: `The task is ${status}${error === null ? "" : `: ${error}`}` }))

/** Shows what has happened and what happens, until the task is over. */
const follow = Effect.fnUntraced(function* (
  flags: Parameters<typeof rpcClient>[0] & { readonly json: boolean },
  taskId: TaskId
) {
  // A socket would wait for a service that is away; and of a task that is over, the events may be gone.
  const rest = yield* restClient(flags)
  const task = yield* rest.tasks.get({ params: { id: taskId } })
  if (finishedStatuses.includes(task.status)) {
    const messages = yield* rest.messages.list({ params: { id: taskId }, query: { limit: 10_000 } })
    const past = messages.map((message): WatchedEvent => ({ _tag: "NewMessage", position: "0", message }))
    yield* Effect.forEach(
      [...past, { _tag: "TaskUpdated", position: "0", task } as const],
      (event) => tell(flags, event),
      {
        discard: true
      }
    )
    return yield* ending(task)
  }
  const client = yield* rpcClient(flags)
  let last: WatchedEvent | undefined
  yield* client.WatchTask({ id: taskId, after: "0" }).pipe(
    Stream.takeUntil(isEnd),
    Stream.runForEach((event) => {
      last = event
      return tell(flags, event)
    })
  )
  if (last?._tag !== "TaskUpdated") return yield* new TaskNotCompleted({ message: "The task is gone" })
  return yield* ending(last.task)
}, Effect.scoped)

const create = Command.make(
  "create",
  {
    ...connectionFlags,
    description: Argument.String("description").pipe(Argument.withDescription("What is to be done, in plain language")),
    priority: Flag.Literals("priority", TaskPriority.literals).pipe(
      Flag.withDescription("Which tasks go first"),
      Flag.optional
    ),
    desktop: Flag.String("desktop").pipe(Flag.withDescription("Name of the desktop to run on"), Flag.optional),
    watch: Flag.Boolean("watch").pipe(
      Flag.withDescription("Show its progress until it is over"),
      Flag.withDefault(false)
    )
  },
  Effect.fn(function* ({ description, desktop, priority, watch, ...flags }) {
    const client = yield* restClient(flags)
    const task = yield* client.tasks.create({
      payload: { description, priority: Option.getOrUndefined(priority), desktop: Option.getOrUndefined(desktop) }
    })
    yield* show(task, flags.json)
    if (watch) yield* follow(flags, task.id)
  })
).pipe(
  Command.withDescription("Create a task"),
  Command.withExamples([
    { command: 'bytebot-agent task create "Look up the weather" --watch', description: "Create one and watch it" }
  ])
)

const list = Command.make(
  "list",
  {
    ...connectionFlags,
    status: Flag.Literals("status", TaskStatus.literals).pipe(
      Flag.withDescription("Only tasks of this status"),
      Flag.optional
    ),
    limit: Flag.Int("limit").pipe(Flag.withDescription("How many, newest first"), Flag.withDefault(20))
  },
  Effect.fn(function* ({ limit, status, ...flags }) {
    const client = yield* restClient(flags)
    const { tasks, total } = yield* client.tasks.list({
      query: { limit, ...Option.match(status, { onNone: () => ({}), onSome: (one) => ({ statuses: [one] }) }) }
    })
    if (flags.json) return yield* print(`[${tasks.map((task) => encodeTask(task)).join(",")}]`)
    yield* Effect.forEach(tasks, (task) => print(line(task)), { discard: true })
    if (total > tasks.length) yield* print(`… and ${total - tasks.length} more`)
  })
).pipe(Command.withDescription("List tasks, newest first"))

const showOne = Command.make(
  "show",
  { ...connectionFlags, id },
  Effect.fn(function* ({ id, ...flags }) {
    const client = yield* restClient(flags)
    const task = yield* client.tasks.get({ params: { id } })
    yield* show(task, flags.json)
    if (flags.json) return
    if (task.error !== null) yield* print(`error: ${task.error}`)
    yield* Effect.forEach(task.files, ({ name, size }) => print(`file: ${name} (${size} bytes)`), { discard: true })
    const { total } = yield* client.tasks.usage({ params: { id } })
    yield* print(
      `model calls: ${total.calls}, tokens: ${total.tokens.input} in, ${total.tokens.output} out, cost: ${total.cost === null ? "not known" : `$${total.cost.toFixed(4)}`}`
    )
  })
).pipe(Command.withDescription("Show a task"))

const watch = Command.make("watch", { ...connectionFlags, id }, ({ id, ...flags }) => follow(flags, id)).pipe(
  Command.withDescription("Show what has happened and what happens, until the task is over")
)

const message = Command.make(
  "message",
  { ...connectionFlags, id, text: Argument.String("text").pipe(Argument.withDescription("What to say to the agent")) },
  Effect.fn(function* ({ id, text, ...flags }) {
    const client = yield* restClient(flags)
    yield* show(yield* client.messages.add({ params: { id }, payload: { message: text } }), flags.json)
  })
).pipe(Command.withDescription("Say something to the agent"))

/** takeover, resume and cancel differ in nothing but their names. */
const control = (name: "takeover" | "resume" | "cancel", description: string) =>
  Command.make(
    name,
    { ...connectionFlags, id },
    Effect.fn(function* ({ id, ...flags }) {
      const client = yield* restClient(flags)
      const call = { params: { id } }
      const task = yield* name === "takeover"
        ? client.tasks.takeover(call)
        : name === "resume"
          ? client.tasks.resume(call)
          : client.tasks.cancel(call)
      yield* show(task, flags.json)
    })
  ).pipe(Command.withDescription(description))

/** `bytebot-agent task …`: what one does with tasks, from a terminal or a script. */
export const task = Command.make("task").pipe(
  Command.withDescription("Create, watch and steer tasks of a running service"),
  Command.withSubcommands([
    create,
    list,
    showOne,
    watch,
    message,
    control("takeover", "Take the desktop over from the agent"),
    control("resume", "Hand the desktop back to the agent"),
    control("cancel", "End the task for good")
  ])
)
