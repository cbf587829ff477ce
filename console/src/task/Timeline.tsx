import { Bot, Check, CircleAlert, Hand, LoaderCircle, User } from "lucide-react"
import { useRef } from "react"
import type { ModelCall } from "../../../src/domain/ModelCall.ts"
import { duration } from "../ui/time.ts"
import { VirtualRows } from "../ui/VirtualRows.tsx"
import { actionSentence } from "./actionWords.ts"
import type { Action, Step } from "./timeline.ts"

const icons = { agent: Bot, person: User, captured: Hand } as const
const speakers = { agent: "Agent", person: "You", captured: "You, on the desktop" } as const
const outcomes = {
  open: <LoaderCircle size={14} aria-label="under way" className="spinning" />,
  done: <Check size={14} aria-label="done" />,
  failed: <CircleAlert size={14} aria-label="failed" />
} as const

const ActionLine = ({ action, live }: { readonly action: Action; readonly live: boolean }) => (
  <li className="action" data-outcome={action.outcome}>
    <span>
      {(action.outcome !== "open" || live) && outcomes[action.outcome]} {actionSentence(action)}
    </span>
    {action.name !== "set_task_status" &&
      action.said.map((text) => (
        <pre key={text} className="said">
          {text.length > 600 ? `${text.slice(0, 600)}…` : text}
        </pre>
      ))}
  </li>
)

const money = (dollars: number): string => (dollars < 0.01 ? "<$0.01" : `$${dollars.toFixed(2)}`)

const Costs = ({ call }: { readonly call: ModelCall }) => (
  <span className="costs">
    {call.tokens.input + call.tokens.output} tokens · {duration(call.durationMs)}
    {call.cost !== null && ` · ${money(call.cost)}`}
  </span>
)

interface EntryProps {
  readonly step: Step
  readonly index: number
  readonly selected: boolean
  readonly live: boolean
  readonly call: ModelCall | undefined
  readonly select: (index: number) => void
}

const Entry = ({ call, index, live, select, selected, step }: EntryProps) => {
  const Icon = icons[step.by]
  const thoughts = step.thinking.filter((text) => text !== "")
  return (
    <article className="entry" data-by={step.by} aria-current={selected ? "step" : undefined}>
      <button type="button" className="pick" onClick={() => select(index)}>
        <Icon size={16} aria-hidden="true" />
        <strong>{speakers[step.by]}</strong>
        <span className="number">{index + 1}</span>
        <time dateTime={new Date(step.at).toISOString()}>{new Date(step.at).toLocaleTimeString()}</time>
      </button>
      {thoughts.length > 0 && (
        <details>
          <summary>Thinking</summary>
          {thoughts.map((text) => (
            <p key={text} className="thinking">
              {text}
            </p>
          ))}
        </details>
      )}
      {step.texts.map((text) => (
        <p key={text} className="text">
          {text}
        </p>
      ))}
      {step.actions.length > 0 && (
        <ul className="actions">
          {step.actions.map((action) => (
            <ActionLine key={action.id} action={action} live={live && step.by === "agent"} />
          ))}
        </ul>
      )}
      {call !== undefined && <Costs call={call} />}
    </article>
  )
}

interface TimelineProps {
  readonly steps: ReadonlyArray<Step>
  readonly calls: ReadonlyMap<string, ModelCall>
  readonly selected: number
  /** Whether the last step may still be under way. */
  readonly live: boolean
  readonly select: (index: number) => void
}

/** What was said and done, one entry per step; the selected one is kept in view. */
export const Timeline = ({ calls, live, select, selected, steps }: TimelineProps) => {
  const parent = useRef<HTMLDivElement>(null)
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard (WCAG 2.1.1)
    <section className="timeline" ref={parent} aria-label="Timeline" tabIndex={0}>
      <VirtualRows
        items={steps}
        keyOf={({ key }) => key}
        scrolled={parent}
        estimate={110}
        kept={selected}
        row={(step, index) => (
          <Entry
            step={step}
            index={index}
            selected={index === selected}
            live={live && index === steps.length - 1}
            call={calls.get(step.messageId)}
            select={select}
          />
        )}
      />
    </section>
  )
}
