import { DateTime } from "effect"
import { useState } from "react"
import type { TaskUsage } from "../../../src/domain/ModelCall.ts"
import type { TaskWithFiles } from "../../../src/domain/Task.ts"
import { resultText } from "../../../src/domain/TaskWords.ts"
import { addressOf, serviceUrl } from "../service/Clients.ts"
import { duration } from "../ui/time.ts"
import type { SeenEvent, TaskState } from "./useTask.ts"

const Result = ({ task }: { readonly task: TaskWithFiles }) => {
  const result = resultText(task)
  const instants = [
    ["Created", task.createdAt],
    ["Started", task.executedAt],
    ["Ended", task.completedAt]
  ] as const
  return (
    <>
      <p className="result">{result ?? task.error ?? "There is no result yet."}</p>
      <dl>
        {instants.map(
          ([name, instant]) =>
            instant !== null && (
              <div key={name}>
                <dt>{name}</dt>
                <dd>{new Date(DateTime.toEpochMillis(instant)).toLocaleString()}</dd>
              </div>
            )
        )}
        <div>
          <dt>Id</dt>
          <dd>
            <code>{task.id}</code>
          </dd>
        </div>
      </dl>
    </>
  )
}

const Files = ({ task }: { readonly task: TaskWithFiles }) =>
  task.files.length === 0 ? (
    <p>The task has no files.</p>
  ) : (
    <ul className="files">
      {task.files.map(({ id, name, size, type }) => (
        <li key={id}>
          <a href={addressOf(`/tasks/${encodeURIComponent(task.id)}/files/${encodeURIComponent(id)}`)}>{name}</a>{" "}
          <span>
            {type}, {size} bytes
          </span>
        </li>
      ))}
    </ul>
  )

const Usage = ({ usage }: { readonly usage: TaskUsage | undefined }) => {
  if (usage === undefined || usage.calls.length === 0) return <p>No model was asked yet.</p>
  const { calls, cost, tokens, unpricedCalls } = usage.total
  const time = usage.calls.reduce((sum, { durationMs }) => sum + durationMs, 0)
  return (
    <table>
      <caption className="visually-hidden">Usage</caption>
      <tbody>
        {[
          ["Model", [...new Set(usage.calls.map(({ model, provider }) => `${provider}/${model}`))].join(", ")],
          ["Calls", String(calls)],
          ["Time of the model", duration(time)],
          ["Input tokens", `${tokens.input}, ${tokens.cacheRead} of them from the cache`],
          ["Output tokens", String(tokens.output)],
          [
            "Cost",
            cost === null
              ? "not known"
              : `$${cost.toFixed(4)}${unpricedCalls > 0 ? ` without ${unpricedCalls} calls of unknown price` : ""}`
          ]
        ].map(([name, value]) => (
          <tr key={name}>
            <th scope="row">{name}</th>
            <td>{value}</td>
          </tr>
        ))}
      </tbody>
    </table>
  )
}

const Events = ({ events }: { readonly events: ReadonlyArray<SeenEvent> }) =>
  events.length === 0 ? (
    <p>No event since this page was opened.</p>
  ) : (
    <ol className="events">
      {events.toReversed().map(({ at, position, text }) => (
        <li key={position}>
          <time dateTime={new Date(at).toISOString()}>{new Date(at).toLocaleTimeString()}</time> {text}
        </li>
      ))}
    </ol>
  )

const Curl = ({ id }: { readonly id: string }) => (
  <pre className="curl">
    {[
      `curl -s ${serviceUrl}/tasks/${id}`,
      `curl -s '${serviceUrl}/tasks/${id}/messages?images=urls'`,
      `curl -sN ${serviceUrl}/tasks/${id}/events`,
      `curl -s -X POST ${serviceUrl}/tasks/${id}/takeover`,
      `curl -s -X POST ${serviceUrl}/tasks/${id}/resume`,
      `curl -s ${serviceUrl}/tasks/${id}/messages -H 'content-type: application/json' -d '{"message": "…"}'`
    ].join("\n")}
  </pre>
)

const names = ["Result", "Files", "Usage", "Events", "cURL"] as const

/** What else is known of a task, in tabs. */
export const Details = ({ state, task }: { readonly state: TaskState; readonly task: TaskWithFiles }) => {
  const [shown, setShown] = useState<(typeof names)[number]>("Result")
  const panels = {
    Result: <Result task={task} />,
    Files: <Files task={task} />,
    Usage: <Usage usage={state.usage} />,
    Events: <Events events={state.events} />,
    cURL: <Curl id={task.id} />
  }
  return (
    <section className="details">
      <div className="tabs" role="tablist" aria-label="Details">
        {names.map((name) => (
          <button
            key={name}
            type="button"
            role="tab"
            id={`tab-${name}`}
            aria-controls="panel"
            aria-selected={shown === name}
            onClick={() => setShown(name)}
          >
            {name}
          </button>
        ))}
      </div>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard (WCAG 2.1.1) */}
      <div role="tabpanel" id="panel" aria-labelledby={`tab-${shown}`} tabIndex={0}>
        {panels[shown]}
      </div>
    </section>
  )
}
