import type { NewTaskPayload } from "../api/NewTaskPayload.ts"
import type { NewTask } from "../tasks/TaskCreation.ts"

/** The task that a request describes. */
export const newTaskOf = ({ files, ...task }: typeof NewTaskPayload.Type): NewTask => ({
  ...task,
  files: files?.map(({ base64, name, size, type = "application/octet-stream" }) => ({ name, type, size, data: base64 }))
})
