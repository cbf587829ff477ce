import { basename } from "node:path"
import { Clock, Effect, FileSystem, Option, Schema, Stream } from "effect"
import { finishedStatuses, Task, TaskId, type TaskPriority, type TaskStatus } from "../domain/Task.ts"
import type { WatchedEvent } from "../domain/WatchedEvent.ts"
import type { ConnectionFlags } from "./ConnectionFlags.ts"
import { openPage } from "./OpenPage.ts"
import { print } from "./Output.ts"
import { restClient, rpcClient } from "./ServiceConnection.ts"
import { eventLines, imageAddresses, isEnd, taskDetails, taskLine, taskTable } from "./TaskText.ts"

/** The task that was watched has ended otherwise than completed. */
class TaskNotCompleted extends Schema.TaggedError<TaskNotCompleted>()("TaskNotCompleted", {
  message: Schema.String
}) {}

/** Several tasks' ids begin like that. */
class TaskIdAmbiguous extends Schema.TaggedError<TaskIdAmbiguous>()("TaskIdAmbiguous", {
  given: Schema.String,
  found: Schema.Array(Schema.String)
}) {
  override get message(): string {
    return `${this.found.length} tasks have an id that begins with ${this.given}: ${this.found.join(", ")}`
  }
}

/** The agent reads no messages of a task that is over. */
class TaskIsOver extends Schema.TaggedError<TaskIsOver>()("TaskIsOver", { id: Schema.String, status: Schema.String }) {
  override get message(): string {
    return `The task ${this.id} is ${this.status}: its agent reads no messages. Create a new task instead.`
  }
}

interface OfTask extends ConnectionFlags {
  readonly id: string
}

const encodeTask = Schema.encodeSync(Schema.fromJsonString(Task))

const printTask = (task: Task, json: boolean) => print(json ? encodeTask(task) : taskLine(task))

const printLines = (lines: ReadonlyArray<string>) => Effect.forEach(lines, print, { discard: true })

type Client = Effect.Success<ReturnType<typeof restClient>>

/** Fewest characters by which a task may be named, and how many of the newest tasks are looked through. */
const shortest = 4
const searched = 1000

/** The task with this id; or, of the newest tasks, the one whose id begins like that. */
const findTask = (client: Client, given: string) =>
  client.tasks.get({ params: { id: TaskId.make(given) } }).pipe(
    Effect.catchTag(
      "TaskNotFound",
      Effect.fnUntraced(function* (missing) {
        if (given.length < shortest) return yield* missing
        const { tasks } = yield* client.tasks.list({ query: { limit: searched } })
        const found = tasks.filter(({ id }) => id.startsWith(given))
        const [one] = found
        if (one === undefined) return yield* missing
        if (found.length > 1) return yield* new TaskIdAmbiguous({ given, found: found.map(({ id }) => id) })
        return yield* client.tasks.get({ params: { id: one.id } })
      })
    )
  )

const tell = ({ json }: ConnectionFlags, event: WatchedEvent) =>
  json ? print(JSON.stringify(event)) : printLines(eventLines(event))

/** A task that has ended otherwise than completed is a failure of the command that watches it. */
const ending = ({ error, status }: Task) =>
  status === "COMPLETED"
    ? Effect.void
    : Effect.fail(new TaskNotCompleted({ message: `The task is ${status}${error === null ? "" : `: ${error}`}` }))

/** Shows what has happened and what happens, until the task is over. */
const follow = Effect.fnUntraced(function* (flags: ConnectionFlags, given: string) {
  // A socket would wait for a service that is away; and of a task that is over, the events may be gone.
  const rest = yield* restClient(flags)
  const task = yield* findTask(rest, given)
  const { id } = task
  if (finishedStatuses.includes(task.status)) {
    const messages = yield* rest.messages.list({ params: { id }, query: { limit: 10_000 } })
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
  const last = yield* client.WatchTask({ id, after: "0", deltas: false }).pipe(
    Stream.takeUntil(isEnd),
    Stream.tap((event) => tell(flags, event)),
    Stream.runLast
  )
  if (Option.isNone(last) || last.value._tag !== "TaskUpdated") {
    return yield* new TaskNotCompleted({ message: "The task is gone" })
  }
  return yield* ending(last.value.task)
}, Effect.scoped)

const readFile = Effect.fnUntraced(function* (path: string) {
  const fs = yield* FileSystem.FileSystem
  const bytes = yield* fs.readFile(path)
  return { name: basename(path), base64: Buffer.from(bytes).toString("base64"), size: bytes.length }
})

interface NewTask extends ConnectionFlags {
  readonly description: string
  readonly priority: Option.Option<TaskPriority>
  readonly desktop: Option.Option<string>
  /** Paths of files that go with it. */
  readonly files: ReadonlyArray<string>
  readonly watch: boolean
}

export const create = Effect.fnUntraced(function* ({
  description,
  desktop,
  files,
  priority,
  watch,
  ...flags
}: NewTask) {
  const client = yield* restClient(flags)
  const task = yield* client.tasks.create({
    payload: {
      description,
      priority: Option.getOrUndefined(priority),
      desktop: Option.getOrUndefined(desktop),
      ...(files.length === 0 ? {} : { files: yield* Effect.forEach(files, readFile) })
    }
  })
  yield* printTask(task, flags.json)
  if (watch) yield* follow(flags, task.id)
})

interface Wanted extends ConnectionFlags {
  readonly status: Option.Option<TaskStatus>
  readonly limit: number
}

export const list = Effect.fnUntraced(function* ({ limit, status, ...flags }: Wanted) {
  const client = yield* restClient(flags)
  const { tasks, total } = yield* client.tasks.list({
    query: { limit, ...Option.match(status, { onNone: () => ({}), onSome: (one) => ({ statuses: [one] }) }) }
  })
  if (flags.json) return yield* print(`[${tasks.map((task) => encodeTask(task)).join(",")}]`)
  yield* printLines(
    process.stdout.isTTY
      ? taskTable(tasks, process.stdout.columns || 80, yield* Clock.currentTimeMillis)
      : tasks.map((task) => taskLine(task))
  )
  if (total > tasks.length) yield* print(`… and ${total - tasks.length} more`)
})

/** How many of the newest pictures are named. */
const shownPictures = 5

export const show = Effect.fnUntraced(function* ({ id, ...flags }: OfTask) {
  const client = yield* restClient(flags)
  const task = yield* findTask(client, id)
  yield* printTask(task, flags.json)
  if (flags.json) return
  yield* printLines(taskDetails(task, yield* Clock.currentTimeMillis))
  yield* print(`page: ${pageOf(flags.url, task)}`)
  yield* printLines(task.files.map(({ name, size }) => `file: ${name} (${size} bytes)`))
  const params = { id: task.id }
  const messages = yield* client.messages.list({ params, query: { limit: 10_000, images: "urls" } })
  const pictures = messages.flatMap(({ content }) => imageAddresses(content))
  yield* printLines(pictures.slice(-shownPictures).map((path) => `picture: ${flags.url}${path}`))
  if (pictures.length > shownPictures) yield* print(`… and ${pictures.length - shownPictures} older pictures`)
  const { total } = yield* client.tasks.usage({ params })
  const cost = total.cost === null ? "not known" : `$${total.cost.toFixed(4)}`
  yield* print(
    `model calls: ${total.calls}, tokens: ${total.tokens.input} in, ${total.tokens.output} out, cost: ${cost}`
  )
})

/** A task's page in the console. */
const pageOf = (url: string, { id }: Task) => `${url}/console/tasks/${encodeURIComponent(id)}`

/** The console, or a task in it. */
export const open = Effect.fnUntraced(function* ({
  id,
  ...flags
}: ConnectionFlags & { readonly id: Option.Option<string> }) {
  const client = yield* restClient(flags)
  const page = Option.isNone(id) ? `${flags.url}/console/` : pageOf(flags.url, yield* findTask(client, id.value))
  yield* print(page)
  yield* openPage(page)
})

export const watch = ({ id, ...flags }: OfTask) => follow(flags, id)

export const message = Effect.fnUntraced(function* ({ id, text, ...flags }: OfTask & { readonly text: string }) {
  const client = yield* restClient(flags)
  const task = yield* findTask(client, id)
  if (finishedStatuses.includes(task.status)) return yield* new TaskIsOver(task)
  const changed = yield* client.messages.add({ params: { id: task.id }, payload: { message: text } })
  yield* printTask(changed, flags.json)
})

/** takeover, resume and cancel differ in nothing but their names. */
export const control = Effect.fnUntraced(function* (name: "takeover" | "resume" | "cancel", { id, ...flags }: OfTask) {
  const client = yield* restClient(flags)
  const call = { params: { id: (yield* findTask(client, id)).id } }
  const task = yield* name === "takeover"
    ? client.tasks.takeover(call)
    : name === "resume"
      ? client.tasks.resume(call)
      : client.tasks.cancel(call)
  yield* printTask(task, flags.json)
})
