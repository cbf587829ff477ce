import { Link } from "@tanstack/react-router"
import { useMemo } from "react"
import { finishedStatuses, TaskId } from "../../../src/domain/Task.ts"
import { taskRoute } from "../router.tsx"
import { Details } from "../task/Details.tsx"
import { Scrubber } from "../task/Scrubber.tsx"
import { Stage } from "../task/Stage.tsx"
import { TaskHeader } from "../task/TaskHeader.tsx"
import { Timeline } from "../task/Timeline.tsx"
import { questionOf, stepsOf } from "../task/timeline.ts"
import { usePlayer } from "../task/usePlayer.ts"
import { useTask } from "../task/useTask.ts"
import { useTitle } from "../ui/useTitle.ts"

export const TaskScreen = () => {
  const id = TaskId.make(taskRoute.useParams().id)
  const state = useTask(id)
  const { messages, problem, task, usage } = state
  useTitle(task?.description.slice(0, 60) ?? "Task")
  const steps = useMemo(() => stepsOf(messages), [messages])
  const calls = useMemo(
    () => new Map(usage?.calls.flatMap((call) => (call.messageId === null ? [] : [[call.messageId, call] as const]))),
    [usage]
  )
  const player = usePlayer(steps.length)
  if (task === undefined) {
    return problem === undefined ? (
      <output className="loading">Loading the task…</output>
    ) : (
      <section className="empty">
        <h1>{problem}</h1>
        <Link to="/">All tasks</Link>
      </section>
    )
  }
  return (
    <section className="task">
      <TaskHeader task={task} question={questionOf(steps)} />
      {problem !== undefined && <p role="alert">{problem}</p>}
      <div className="theatre">
        <Stage steps={steps} index={player.index} />
        <Scrubber steps={steps} player={player} live={!finishedStatuses.includes(task.status)} />
        <Details state={state} task={task} />
      </div>
      <Timeline
        steps={steps}
        calls={calls}
        selected={player.index}
        live={task.status === "RUNNING" && task.control === "ASSISTANT"}
        select={player.select}
      />
    </section>
  )
}
