import { DateTime } from "effect"
import { HttpServerResponse } from "effect/http"
import type { Task, TaskWithFiles } from "../../domain/Task.ts"
import type { TaskFile } from "../../domain/TaskFile.ts"

/**
 * Tasks as the JSON text of the wire, written by hand: schemas take longer for it than everything else does that a request needs. A property
 * test holds the texts against what the API's schemas yield.
 */

const instant = (at: DateTime.Utc | null) => (at === null ? null : DateTime.formatIso(at))

const wireTask = ({ desktop, effort, ...task }: Task) => ({
  id: task.id,
  description: task.description,
  type: task.type,
  status: task.status,
  priority: task.priority,
  control: task.control,
  createdAt: DateTime.formatIso(task.createdAt),
  createdBy: task.createdBy,
  scheduledFor: instant(task.scheduledFor),
  updatedAt: DateTime.formatIso(task.updatedAt),
  executedAt: instant(task.executedAt),
  completedAt: instant(task.completedAt),
  queuedAt: instant(task.queuedAt),
  error: task.error,
  result: task.result,
  model: task.model,
  // Undefined, it is not there.
  desktop,
  effort
})

const wireFile = (file: TaskFile) => ({
  id: file.id,
  name: file.name,
  type: file.type,
  size: file.size,
  data: file.data,
  createdAt: DateTime.formatIso(file.createdAt),
  updatedAt: DateTime.formatIso(file.updatedAt),
  taskId: file.taskId
})

/** As `Task` is encoded. */
export const taskText = (task: Task): string => JSON.stringify(wireTask(task))

/** As `TaskWithFiles` is encoded. */
export const taskWithFilesText = ({ files, ...task }: TaskWithFiles): string =>
  JSON.stringify({ ...wireTask(task), files: files.map(wireFile) })

/** Writes what `TaskPage` is encoded as, task by task; `next` is a cursor's text, absent on pages by number. */
export const taskPageWriter = (page: {
  readonly total: number
  readonly totalPages: number | null
  readonly next?: string | null | undefined
}) => {
  let before = '{"tasks":['
  return {
    add: (tasks: ReadonlyArray<Task>): ReadonlyArray<string> =>
      tasks.map((task) => {
        const text = before + taskText(task)
        before = ","
        return text
      }),
    end: (): ReadonlyArray<string> => [`${before === "," ? "" : before}],${JSON.stringify(page).slice(1)}`]
  }
}

/** A response of such a text. */
export const jsonResponse = (text: string, status = 200): HttpServerResponse.HttpServerResponse =>
  HttpServerResponse.text(text, { status, contentType: "application/json" })
