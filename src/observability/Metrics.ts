import { Effect, Metric } from "effect"

/**
 * Every metric of the service. Their ids are for OpenTelemetry, which has units apart; Prometheus has them in the names. Values of labels
 * come from short lists of ours: never ids, paths, or words of clients and models.
 */

/** Seconds. */
const boundaries = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800]

const prometheusNames = new Map<string, string>()

/** The name for Prometheus: unit and `_total` as its conventions ask for; and another one where a suffix of the id is reserved there. */
const named = (id: string, ending: string, base = id): string => {
  prometheusNames.set(id, `${base}${ending}`)
  return id
}

const seconds = (id: string, description: string) =>
  Metric.histogram(named(id, "_seconds"), { description, boundaries, attributes: { unit: "s" } })

const counter = (id: string, description: string, unit?: string) =>
  Metric.counter(named(id, unit === undefined ? "_total" : `_${unit}_total`), { description, incremental: true })

const gauge = (id: string, description: string, unit?: string) =>
  Metric.gauge(named(id, unit === undefined ? "" : `_${unit}`), { description })

export const metrics = {
  requests: seconds("http.server.request.duration", "Requests by method, route and status"),
  tasks: gauge("bytebot.tasks", "Tasks that are not over, by status; the same from every replica"),
  tasksEnded: counter("bytebot.tasks.ended", "Runs that ended their task, by the status that it has then"),
  queue: gauge("bytebot.queue.length", "Due tasks that wait for a desktop; the same from every replica"),
  queueWait: seconds("bytebot.queue.wait", "From when a task is due to when it is first taken"),
  iterations: counter("bytebot.iterations", "Replies of models that tasks went on with"),
  modelCalls: seconds("gen_ai.client.operation.duration", "Calls of models, by provider and outcome"),
  modelTokens: counter("bytebot.model.tokens", "Tokens, by provider and type"),
  modelCost: counter("bytebot.model.cost", "US dollars, where prices are known, by provider", "usd"),
  modelRetries: counter("bytebot.model.retries", "Calls of models that are made again, by provider and reason"),
  desktopRequests: seconds("bytebot.desktop.request.duration", "Requests to desktops, by action and outcome"),
  sockets: gauge("bytebot.sockets", "Open connections of Socket.IO"),
  events: counter("bytebot.events.delivered", "Events of tasks handed to subscribers of this replica, by kind"),
  connections: Metric.gauge(named("db.client.connection.count", "", "db.client.connections"), {
    description: "Connections to PostgreSQL, by state"
  }),
  connectionsMax: gauge("db.client.connection.max", "Most connections to PostgreSQL at a time"),
  connectionsWaiting: gauge(
    "db.client.connection.pending_requests",
    "Statements that wait for a connection, or for the answer to an earlier one on it"
  ),
  eventLoopDelay: gauge(
    "nodejs.eventloop.delay.p99",
    "How late timers were, in 99 of 100 cases, since it was last asked",
    "seconds"
  ),
  memory: gauge("process.memory.usage", "Resident memory", "bytes")
}

/** A metric's name for Prometheus; characters that it does not allow are replaced elsewhere. */
export const prometheusName = (id: string): string => prometheusNames.get(id) ?? id

/** Prometheus's text, with a description for the metrics that have none: those of Effect's cluster. */
export const withDescriptions = (text: string): string => {
  const described = new Set([...text.matchAll(/^# HELP (\S+)/gm)].map(([, name]) => name))
  return text.replaceAll(/^# TYPE (\S+) .*$/gm, (line, name: string) =>
    described.has(name)
      ? line
      : `# HELP ${name} Of effect/cluster, which places the work of desktops on replicas\n${line}`
  )
}

/** The series of each metric, by the values of their labels: to make one costs more than to count. */
const series = new WeakMap<object, Map<string, (value: number) => Effect.Effect<void>>>()

/** Adds a value to a metric under these labels, which are the same ones, in the same order, at every call for the metric. */
export const measure = <State>(
  metric: Metric.Metric<number, State>,
  value: number,
  labels: Readonly<Record<string, string>> = {}
): Effect.Effect<void> => {
  const known = series.get(metric) ?? new Map<string, (value: number) => Effect.Effect<void>>()
  series.set(metric, known)
  const key = Object.values(labels).join("\n")
  const found = known.get(key)
  if (found !== undefined) return found(value)
  const labelled = Metric.withAttributes(metric, labels)
  const update = (amount: number) => Metric.update(labelled, amount)
  known.set(key, update)
  return update(value)
}

/** Seconds that the effect took, with labels by how it ended. */
export const timed =
  <A, E>(
    metric: Metric.Metric<number, Metric.HistogramState>,
    labels: (outcome: {
      readonly failure: E | undefined
      readonly isBroken: boolean
    }) => Readonly<Record<string, string>>
  ) =>
  <R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.suspend(() => {
      const begun = performance.now()
      return Effect.onExit(effect, (exit) => {
        const failed = exit._tag === "Failure" ? exit.cause.reasons.find((reason) => reason._tag === "Fail") : undefined
        const outcome = {
          failure: failed?._tag === "Fail" ? failed.error : undefined,
          isBroken: exit._tag === "Failure" && failed === undefined
        }
        return measure(metric, (performance.now() - begun) / 1000, labels(outcome))
      })
    })
