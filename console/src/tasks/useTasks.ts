import { DateTime, Effect } from "effect"
import { useState } from "react"
import type { Task } from "../../../src/domain/Task.ts"
import type { WatchedEvent } from "../../../src/domain/WatchedEvent.ts"
import { Clients } from "../service/Clients.ts"
import { follow, sentenceOf, useProgram } from "../service/useProgram.ts"
import type { Filters } from "./filters.ts"

export interface TasksState {
  /** Newest first. */
  readonly tasks: ReadonlyArray<Task>
  readonly total: number | undefined
  readonly more: boolean
  readonly problem: string | undefined
}

const empty: TasksState = { tasks: [], total: undefined, more: false, problem: undefined }
const pageSize = 100

/** Whether a task of an event belongs to the list. Words are left to the service. */
const fits = (task: Task, { q, status }: Filters): boolean =>
  (status === undefined || status.includes(task.status)) &&
  (q === undefined || q.split(/\s+/).every((word) => task.description.toLowerCase().includes(word.toLowerCase())))

const newestFirst = (a: Task, b: Task): number =>
  DateTime.toEpochMillis(b.createdAt) - DateTime.toEpochMillis(a.createdAt)

/** The list after an event. */
export const afterEvent = (
  state: TasksState,
  event: Exclude<WatchedEvent, { _tag: "Gap" }>,
  filters: Filters
): TasksState => {
  switch (event._tag) {
    case "TaskCreated":
    case "TaskUpdated": {
      const { task } = event
      const known = state.tasks.some(({ id }) => id === task.id)
      const others = state.tasks.filter(({ id }) => id !== task.id)
      const isShown = fits(task, filters) && (known || event._tag === "TaskCreated" || filters.status !== undefined)
      const change = (isShown ? 1 : 0) - (known ? 1 : 0)
      return {
        ...state,
        tasks: isShown ? [...others, task].toSorted(newestFirst) : others,
        total: state.total === undefined ? undefined : state.total + change
      }
    }
    case "TaskDeleted": {
      const tasks = state.tasks.filter(({ id }) => id !== event.taskId)
      const gone = state.tasks.length - tasks.length
      return { ...state, tasks, total: state.total === undefined ? undefined : state.total - gone }
    }
    case "NewMessage":
    case "MessageDelta":
      return state
  }
}

/** The tasks that fit, live; `loadMore` shows a hundred more. */
export const useTasks = (filters: Filters): TasksState & { readonly loadMore: () => void } => {
  const [pages, setPages] = useState(1)
  const key = JSON.stringify(filters)
  const state = useProgram<TasksState>(
    empty,
    (update) =>
      Effect.gen(function* () {
        const { rest, rpc } = yield* Clients
        const query = {
          limit: pages * pageSize,
          ...(filters.q === undefined ? {} : { q: filters.q }),
          ...(filters.status === undefined ? {} : { statuses: filters.status })
        }
        const load = Effect.gen(function* () {
          const { tasks, total } = yield* rest.tasks.list({ query })
          update(() => ({ tasks, total, more: tasks.length < total, problem: undefined }))
        })
        yield* follow(
          (after) => rpc.WatchTasks({ ...after, kinds: ["TaskCreated", "TaskUpdated", "TaskDeleted"] }),
          load,
          (event) => update((state) => afterEvent(state, event, filters))
        )
      }).pipe(
        Effect.catch((error) => Effect.sync(() => update((state) => ({ ...state, problem: sentenceOf(error) }))))
      ),
    `${key} ${pages}`
  )
  return { ...state, loadMore: () => setPages((pages) => pages + 1) }
}
