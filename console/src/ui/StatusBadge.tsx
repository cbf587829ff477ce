import type { Task } from "../../../src/domain/Task.ts"
import { needsPerson, statusWords } from "../../../src/domain/TaskWords.ts"

/** The state's word; colour and shape repeat it. */
export const StatusBadge = ({ task }: { readonly task: Task }) => (
  <span className="badge" data-status={task.status} data-needs={needsPerson(task)}>
    {task.status === "RUNNING" && task.control === "USER" ? "You control" : statusWords[task.status]}
  </span>
)
