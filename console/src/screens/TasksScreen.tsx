import { Link, useNavigate } from "@tanstack/react-router"
import { DateTime } from "effect"
import { Search } from "lucide-react"
import { useRef } from "react"
import type { Task } from "../../../src/domain/Task.ts"
import { needsPerson, taskReason } from "../../../src/domain/TaskWords.ts"
import { tasksRoute } from "../router.tsx"
import { Composer } from "../tasks/Composer.tsx"
import { type Filters, groups } from "../tasks/filters.ts"
import { useTasks } from "../tasks/useTasks.ts"
import { StatusBadge } from "../ui/StatusBadge.tsx"
import { ago, useNow } from "../ui/time.ts"
import { useTitle } from "../ui/useTitle.ts"
import { VirtualRows } from "../ui/VirtualRows.tsx"

const Row = ({ now, task }: { readonly task: Task; readonly now: number }) => {
  const reason = taskReason(task, now)
  return (
    <Link to="/tasks/$id" params={{ id: task.id }} className="row">
      <StatusBadge task={task} />
      <span className="what">
        <span className="description">{task.description}</span>
        {reason !== null && <span className="sentence">{reason}</span>}
      </span>
      {task.priority !== "MEDIUM" && <span className="priority">{task.priority.toLowerCase()}</span>}
      <time dateTime={DateTime.formatIso(task.createdAt)}>{ago(DateTime.toEpochMillis(task.createdAt), now)}</time>
    </Link>
  )
}

const same = (a: ReadonlyArray<string> | undefined, b: ReadonlyArray<string> | undefined) => a?.join() === b?.join()

const FilterBar = ({ filters, total }: { readonly filters: Filters; readonly total: number | undefined }) => {
  const navigate = useNavigate({ from: "/" })
  const search = (q: string) =>
    navigate({ search: ({ q: _, ...others }: Filters) => (q.trim() === "" ? others : { ...others, q }), replace: true })
  return (
    <div className="filters">
      <nav className="tabs" aria-label="Show">
        {groups.map(({ name, statuses }) => (
          <Link
            key={name}
            to="/"
            search={({ q }) => ({
              ...(q === undefined ? {} : { q }),
              ...(statuses === undefined ? {} : { status: statuses })
            })}
            data-current={same(statuses, filters.status)}
          >
            {name}
          </Link>
        ))}
      </nav>
      <label className="search">
        <Search size={16} aria-hidden="true" />
        <input
          type="search"
          placeholder="Search descriptions"
          aria-label="Search descriptions"
          defaultValue={filters.q ?? ""}
          onChange={({ currentTarget }) => search(currentTarget.value)}
        />
      </label>
      {total !== undefined && <span className="count">{total === 1 ? "1 task" : `${total} tasks`}</span>}
    </div>
  )
}

const List = ({ tasks, now }: { readonly tasks: ReadonlyArray<Task>; readonly now: number }) => {
  const parent = useRef<HTMLDivElement>(null)
  return (
    <div className="list" ref={parent} tabIndex={-1}>
      <VirtualRows
        items={tasks}
        keyOf={({ id }) => id}
        scrolled={parent}
        estimate={60}
        row={(task) => <Row task={task} now={now} />}
      />
    </div>
  )
}

const Empty = ({ filtered }: { readonly filtered: boolean }) => (
  <div className="empty">
    <h2>{filtered ? "No task fits" : "No tasks yet"}</h2>
    <p>
      {filtered
        ? "Other filters or other words may find it."
        : "Describe above what the agent should do on the desktop. It looks at the screen, clicks and types, and asks you when it needs to."}
    </p>
  </div>
)

export const TasksScreen = () => {
  useTitle("Tasks")
  const filters = tasksRoute.useSearch()
  const { loadMore, more, problem, tasks, total } = useTasks(filters)
  const now = useNow()
  const waiting = tasks.filter(needsPerson)
  const others = tasks.filter((task) => !needsPerson(task))
  return (
    <section className="tasks">
      <h1 className="visually-hidden">Tasks</h1>
      <Composer />
      <FilterBar filters={filters} total={total} />
      {problem !== undefined && <p role="alert">{problem}</p>}
      {total !== undefined && tasks.length === 0 && (
        <Empty filtered={filters.q !== undefined || filters.status !== undefined} />
      )}
      {waiting.length > 0 && (
        <div className="pinned">
          <h2>Waiting for you</h2>
          {waiting.map((task) => (
            <Row key={task.id} task={task} now={now} />
          ))}
        </div>
      )}
      {others.length > 0 && <List tasks={others} now={now} />}
      {more && (
        <button type="button" className="quiet more" onClick={loadMore}>
          Show more
        </button>
      )}
    </section>
  )
}
