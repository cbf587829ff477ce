import { Effect } from "effect"
import { Hand, RotateCcw, Send, Square } from "lucide-react"
import { type FormEvent, useRef, useState } from "react"
import { finishedStatuses, type Task, type TaskId } from "../../../src/domain/Task.ts"
import { taskReason } from "../../../src/domain/TaskWords.ts"
import { Clients } from "../service/Clients.ts"
import { useCommand } from "../service/useCommand.ts"
import { StatusBadge } from "../ui/StatusBadge.tsx"
import { useNow } from "../ui/time.ts"

type Command = "takeover" | "resume" | "cancel"

const command = ({ id, name }: { readonly id: TaskId; readonly name: Command }) =>
  Effect.gen(function* () {
    const { rest } = yield* Clients
    yield* rest.tasks[name]({ params: { id } })
  })

const say = ({
  id,
  message,
  thenResume
}: {
  readonly id: TaskId
  readonly message: string
  readonly thenResume: boolean
}) =>
  Effect.gen(function* () {
    const { rest } = yield* Clients
    if (message !== "") yield* rest.messages.add({ params: { id }, payload: { message } })
    if (thenResume) yield* rest.tasks.resume({ params: { id } })
  })

/** A message to the agent; while the person has control it goes along with handing back. */
const Message = ({ task }: { readonly task: Task }) => {
  const form = useRef<HTMLFormElement>(null)
  const inControl = task.control === "USER" && !finishedStatuses.includes(task.status)
  const { busy, problem, run } = useCommand(say, () => form.current?.reset())
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault()
    const message = String(new FormData(event.currentTarget).get("message")).trim()
    if (message !== "" || inControl) run({ id: task.id, message, thenResume: inControl })
  }
  return (
    <form ref={form} className="message" onSubmit={submit}>
      <input
        name="message"
        autoComplete="off"
        aria-label={inControl ? "A note for the agent" : "Message to the agent"}
        placeholder={
          task.status === "NEEDS_HELP"
            ? "Answer the agent"
            : inControl
              ? "What did you do? (optional)"
              : "Message to the agent"
        }
      />
      <button type="submit" className={inControl ? "primary" : "quiet"} disabled={busy}>
        {inControl ? <RotateCcw size={16} aria-hidden="true" /> : <Send size={16} aria-hidden="true" />}
        {inControl ? "Hand back" : "Send"}
      </button>
      {problem !== undefined && <p role="alert">{problem}</p>}
    </form>
  )
}

const Buttons = ({ task }: { readonly task: Task }) => {
  const { busy, problem, run } = useCommand(command)
  const [sure, setSure] = useState(false)
  const isOver = finishedStatuses.includes(task.status)
  return (
    <div className="buttons">
      {problem !== undefined && <p role="alert">{problem}</p>}
      {task.control === "ASSISTANT" && !isOver && (
        <button type="button" disabled={busy} onClick={() => run({ id: task.id, name: "takeover" })}>
          <Hand size={16} aria-hidden="true" /> Take over
        </button>
      )}
      {isOver && (
        <button type="button" disabled={busy} onClick={() => run({ id: task.id, name: "resume" })}>
          <RotateCcw size={16} aria-hidden="true" /> Go on
        </button>
      )}
      {!isOver && (
        <button
          type="button"
          className={sure ? "danger" : "quiet"}
          disabled={busy}
          onBlur={() => setSure(false)}
          onClick={() => (sure ? run({ id: task.id, name: "cancel" }) : setSure(true))}
        >
          <Square size={16} aria-hidden="true" /> {sure ? "Really cancel?" : "Cancel"}
        </button>
      )}
    </div>
  )
}

/** What the task is, how it stands, and what a person can do with it. */
export const TaskHeader = ({ question, task }: { readonly task: Task; readonly question: string | undefined }) => {
  const now = useNow()
  return (
    <header className="task-header">
      <div>
        <h1>{task.description}</h1>
        <p className="state" role="status">
          <StatusBadge task={task} />{" "}
          <span>{task.status === "NEEDS_HELP" && question !== undefined ? question : taskReason(task, now)}</span>
        </p>
      </div>
      <Buttons task={task} />
      <Message task={task} />
    </header>
  )
}
