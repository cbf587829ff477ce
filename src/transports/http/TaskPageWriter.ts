import { Schema } from "effect"
import { TaskPage } from "../../api/TasksApi.ts"
import { Task } from "../../domain/Task.ts"
import type { PageWriter } from "../../messages/MessagePage.ts"

const encodeTask = Schema.encodeSync(Schema.fromJsonString(Task))
const { tasks: _, ...others } = TaskPage.fields
const encodeOthers = Schema.encodeSync(Schema.fromJsonString(Schema.Struct(others)))

/** Writes a `TaskPage` some tasks at a time. */
export const taskPageWriter = (page: Omit<typeof TaskPage.Type, "tasks">): PageWriter<Task> => {
  const opening = '{"tasks":['
  let separator = opening
  const write = (task: Task): string => {
    const text = separator + encodeTask(task)
    separator = ","
    return text
  }
  return {
    add: (tasks) => tasks.map(write).join(""),
    end: () => `${separator === opening ? opening : ""}],${encodeOthers(page).slice(1)}`
  }
}
