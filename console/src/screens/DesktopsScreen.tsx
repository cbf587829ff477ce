import { Link } from "@tanstack/react-router"
import { DateTime, Effect } from "effect"
import type { DesktopStatus } from "../../../src/domain/Desktop.ts"
import type { TaskId } from "../../../src/domain/Task.ts"
import { Clients } from "../service/Clients.ts"
import { useQuery } from "../service/useQuery.ts"
import { thumbnail } from "../task/pictures.ts"
import { stepsOf } from "../task/timeline.ts"
import { ago, useNow } from "../ui/time.ts"
import { useTitle } from "../ui/useTitle.ts"

const stateWords = {
  idle: "Free",
  busy: "The agent works here",
  user: "A person controls it",
  unreachable: "Does not answer",
  unknown: "No worker reports about it"
} as const

const list = Effect.gen(function* () {
  const { rest } = yield* Clients
  return yield* rest.desktops.list({})
})

/** The newest screenshot of a task: its last messages hold it. */
const lastPicture = (id: TaskId) =>
  Effect.gen(function* () {
    const { rest } = yield* Clients
    const { total } = yield* rest.tasks.usage({ params: { id } })
    const limit = 20
    // A reply has two messages: what the model said, and what the tools answered.
    const page = Math.max(1, Math.ceil((total.calls * 2) / limit))
    const pages = yield* Effect.forEach([page, page + 1], (page) =>
      rest.messages.raw({ params: { id }, query: { page, limit, images: "urls" } })
    )
    return stepsOf(pages.flat()).findLast(({ picture }) => picture !== undefined)?.picture
  })

const DesktopCard = ({ desktop, now }: { readonly desktop: DesktopStatus; readonly now: number }) => {
  const { lastSeenAt, name, owner, state, taskId, url } = desktop
  const picture = useQuery(taskId === null ? Effect.succeed(undefined) : lastPicture(taskId), taskId ?? "", 3000)
  return (
    <article className="card desktop" data-state={state}>
      <div className="screen">
        {picture.value === undefined ? (
          <span>{state === "unreachable" ? "No picture" : "Nothing to see yet"}</span>
        ) : (
          <img src={thumbnail(picture.value, 640)} alt={`Screen of ${name}`} />
        )}
      </div>
      <h2>{name}</h2>
      <p>
        {stateWords[state]}
        {taskId !== null && (
          <>
            {": "}
            <Link to="/tasks/$id" params={{ id: taskId }}>
              its task
            </Link>
          </>
        )}
      </p>
      <dl>
        <dt>Address</dt>
        <dd>{url}</dd>
        <dt>Driven by</dt>
        <dd>{owner ?? "no replica"}</dd>
        <dt>Last answer</dt>
        <dd>{lastSeenAt === null ? "never" : ago(DateTime.toEpochMillis(lastSeenAt), now)}</dd>
      </dl>
    </article>
  )
}

export const DesktopsScreen = () => {
  useTitle("Desktops")
  const { problem, value } = useQuery(list, "desktops", 3000)
  const now = useNow()
  return (
    <section className="desktops">
      <h1>Desktops</h1>
      {problem !== undefined && <p role="alert">{problem}</p>}
      {value?.length === 0 && (
        <div className="empty">
          <h2>No desktop is configured</h2>
          <p>
            Start the service with <code>BYTEBOT_DESKTOP_BASE_URL=http://HOST:9990</code>, the address of a Bytebot
            desktop.
          </p>
        </div>
      )}
      <div className="wall">
        {value?.map((desktop) => (
          <DesktopCard key={desktop.name} desktop={desktop} now={now} />
        ))}
      </div>
    </section>
  )
}
