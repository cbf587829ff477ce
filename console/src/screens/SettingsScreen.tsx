import { Effect } from "effect"
import type { ReactNode } from "react"
import { addressOf, Clients } from "../service/Clients.ts"
import { useQuery } from "../service/useQuery.ts"
import { duration } from "../ui/time.ts"
import { useTitle } from "../ui/useTitle.ts"

const everything = Effect.gen(function* () {
  const { rest } = yield* Clients
  return yield* Effect.all(
    {
      version: rest.operations.version({}),
      health: rest.health.detailed({}),
      models: rest.models.list({}).pipe(Effect.catch(() => Effect.succeed([]))),
      desktops: rest.desktops.list({})
    },
    { concurrency: "unbounded" }
  )
})

type Everything = Effect.Success<typeof everything>

const Check = ({
  children,
  name,
  ok
}: {
  readonly name: string
  readonly ok: boolean
  readonly children: ReactNode
}) => (
  <li className="check" data-ok={ok}>
    <strong>{name}</strong>
    <span>{children}</span>
  </li>
)

const Missing = ({ line, setting }: { readonly line: string; readonly setting: string }) => (
  <>
    {line} <code>{setting}</code>
  </>
)

const Checks = ({ desktops, health, models }: Everything) => {
  const { database } = health
  const dead = desktops.filter(({ state }) => state === "unreachable").map(({ name }) => name)
  const pending = database.migrations?.pending ?? []
  return (
    <ul className="checks">
      <Check name="Database" ok={database.connected}>
        {database.connected
          ? `answers in ${Math.round(database.round_trip_ms ?? 0)} ms; ${database.pool_stats?.size ?? 0} of ${database.pool_stats?.max ?? 0} connections open`
          : database.error}
      </Check>
      <Check name="Migrations" ok={pending.length === 0}>
        {pending.length === 0
          ? `${database.migrations?.applied ?? 0} applied`
          : `${pending.join(", ")} pending: run bytebot-agent migrate`}
      </Check>
      <Check name="Models" ok={models.length > 0}>
        {models.length > 0 ? (
          models.map(({ title }) => title).join(", ")
        ) : (
          <Missing line="There is no model. Set one of" setting="ANTHROPIC_API_KEY, OPENAI_API_KEY, GEMINI_API_KEY" />
        )}
      </Check>
      <Check name="Desktops" ok={desktops.length > 0 && dead.length === 0}>
        {desktops.length === 0 ? (
          <Missing line="There is no desktop. Set" setting="BYTEBOT_DESKTOP_BASE_URL" />
        ) : dead.length > 0 ? (
          `${dead.join(", ")} ${dead.length === 1 ? "does" : "do"} not answer`
        ) : (
          desktops.map(({ name }) => name).join(", ")
        )}
      </Check>
    </ul>
  )
}

/** What is configured, what is missing and how to set it; read only. */
export const SettingsScreen = () => {
  useTitle("Settings")
  const { problem, value } = useQuery(everything, "everything", 5000)
  return (
    <section className="settings">
      <h1>Settings and health</h1>
      {problem !== undefined && <p role="alert">{problem}</p>}
      {value !== undefined && (
        <>
          <Checks {...value} />
          <dl className="card">
            <div>
              <dt>Version</dt>
              <dd>
                {value.version.service} {value.version.version}, Node {value.version.node}
              </dd>
            </div>
            <div>
              <dt>Up for</dt>
              <dd>{duration(value.health.uptime_seconds * 1000)}</dd>
            </div>
          </dl>
        </>
      )}
      <p className="links">
        <a href={addressOf("/docs")}>API</a> · <a href={addressOf("/docs/events")}>Events</a> ·{" "}
        <a href={addressOf("/metrics")}>Metrics</a>
      </p>
    </section>
  )
}
