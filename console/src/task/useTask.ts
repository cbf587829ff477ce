import { Effect } from "effect"
import type { Message } from "../../../src/domain/Message.ts"
import { withImageUrls } from "../../../src/domain/MessageImages.ts"
import type { TaskUsage } from "../../../src/domain/ModelCall.ts"
import type { Task, TaskId, TaskWithFiles } from "../../../src/domain/Task.ts"
import type { WatchedEvent } from "../../../src/domain/WatchedEvent.ts"
import { Clients, runtime } from "../service/Clients.ts"
import { follow, sentenceOf, useProgram } from "../service/useProgram.ts"

export interface TaskState {
  readonly task: TaskWithFiles | undefined
  /** Oldest first; pictures are addresses. */
  readonly messages: ReadonlyArray<Message>
  readonly usage: TaskUsage | undefined
  readonly events: ReadonlyArray<SeenEvent>
  readonly problem: string | undefined
}

/** An event of this visit; `at` in ms since 1970. */
export interface SeenEvent {
  readonly at: number
  readonly position: string
  readonly text: string
}

const empty: TaskState = {
  task: undefined,
  messages: [],
  usage: undefined,
  events: [],
  problem: undefined
}

const pageSize = 200

/** Messages of events hold pictures as base64; what the page keeps are addresses. */
const slim = (message: Message): Message => ({ ...message, content: withImageUrls(message.id, message.content) })

const upserted = (messages: ReadonlyArray<Message>, message: Message): ReadonlyArray<Message> =>
  messages.some(({ id }) => id === message.id) ? messages : [...messages, message]

const eventText = (event: Exclude<WatchedEvent, { _tag: "Gap" }>): string => {
  switch (event._tag) {
    case "TaskCreated":
    case "TaskUpdated":
      return `${event._tag === "TaskCreated" ? "task_created" : "task_updated"}  ${event.task.status}, control ${event.task.control}`
    case "NewMessage":
      return `new_message  ${event.message.role}, ${event.message.content.length} blocks`
    case "MessageDelta":
      return "message_delta"
    case "TaskDeleted":
      return "task_deleted"
  }
}

const withTask = (state: TaskState, task: Task): TaskState => ({
  ...state,
  task: { ...task, files: state.task?.files ?? [] }
})

/** The state after an event; `now` in ms since 1970. */
export const afterEvent = (state: TaskState, event: Exclude<WatchedEvent, { _tag: "Gap" }>, now: number): TaskState => {
  const seen = {
    ...state,
    events: [...state.events.slice(-499), { at: now, position: event.position, text: eventText(event) }]
  }
  switch (event._tag) {
    case "TaskCreated":
    case "TaskUpdated":
      return withTask(seen, event.task)
    case "NewMessage":
      return { ...seen, messages: upserted(seen.messages, slim(event.message)) }
    case "MessageDelta":
      return state
    case "TaskDeleted":
      return { ...seen, problem: "The task was deleted" }
  }
}

/** A task with its conversation, live. */
export const useTask = (id: TaskId): TaskState =>
  useProgram<TaskState>(
    empty,
    (update) =>
      Effect.gen(function* () {
        const { rest, rpc } = yield* Clients
        const params = { id }
        const usage = rest.tasks.usage({ params }).pipe(
          Effect.tap((usage) => Effect.sync(() => update((state) => ({ ...state, usage })))),
          Effect.ignore
        )
        const load = Effect.gen(function* () {
          const task = yield* rest.tasks.get({ params })
          update((state) => ({ ...state, task }))
          const loaded: Array<Message> = []
          for (let page = 1; ; page++) {
            const messages = yield* rest.messages.raw({ params, query: { page, limit: pageSize, images: "urls" } })
            loaded.push(...messages)
            update((state) => ({ ...state, messages: withLater(loaded, state.messages) }))
            if (messages.length < pageSize) break
          }
          yield* usage
        })
        yield* follow(
          (after) => rpc.WatchTask({ id, ...after, deltas: false }),
          load,
          (event) => {
            update((state) => afterEvent(state, event, Date.now()))
            if (event._tag === "NewMessage" && event.message.role === "ASSISTANT") runtime.runFork(usage)
          }
        )
      }).pipe(
        Effect.catch((error) => Effect.sync(() => update((state) => ({ ...state, problem: sentenceOf(error) }))))
      ),
    id
  )

/** The loaded ones, and what came by events meanwhile. */
const withLater = (loaded: ReadonlyArray<Message>, known: ReadonlyArray<Message>): ReadonlyArray<Message> => {
  const ids = new Set(loaded.map(({ id }) => id))
  return [...loaded, ...known.filter(({ id }) => !ids.has(id))]
}
