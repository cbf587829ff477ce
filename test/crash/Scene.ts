import { PgClient } from "@effect/sql-pg"
import { type Context, Effect, Fiber, Redacted, Schedule, Schema, Semaphore } from "effect"
import { Reactivity } from "effect/reactivity"
import * as Desktop from "../emulators/desktop.ts"
import { actionName } from "../emulators/desktopFaults.ts"
import type { Server } from "../outage/OutageStage.ts"
import type { Provider } from "../support/ModelProviders.ts"
import { makeReplica, type Replica } from "../support/Replicas.ts"
import { request } from "../support/RestClient.ts"
import { admin, migrated, uniqueName } from "../support/TestDatabase.ts"
import * as Waiting from "../support/Waiting.ts"
import { type Disturbance, Disturbances, type Kind } from "./Disturbances.ts"
import { actions, description, isOfRun, modelOf, nameOfStatements, newTask } from "./script.ts"
import { gapsOf, watch } from "./Watcher.ts"

/** What came of a task. */
export interface Played {
  /** What the service did to the outside, up to where it was disturbed. */
  readonly steps: ReadonlyArray<string>
  readonly task: typeof Task.Type
  readonly messages: typeof Messages.Type
  /** The actions that changed something on the desktop. */
  readonly executed: ReadonlyArray<string>
  /** Tasks that the agent created. */
  readonly created: number
  /** Rows of runs and tools that should have ended. */
  readonly leftovers: number
  /** What the model, and those who watched, have to complain of. */
  readonly complaints: ReadonlyArray<string>
}

const decodeStored = Schema.decodeUnknownSync(
  Schema.Tuple([Schema.Struct({ replies: Schema.Int, visible: Schema.Int, summaries: Schema.Int })])
)
const decodeIds = Schema.decodeUnknownSync(Schema.Array(Schema.Struct({ id: Schema.String })))
const Task = Schema.Struct({
  status: Schema.String,
  control: Schema.String,
  error: Schema.Json,
  result: Schema.Json
})
const Messages = Schema.Array(
  Schema.Struct({
    id: Schema.String,
    role: Schema.String,
    content: Schema.Array(Schema.Record(Schema.String, Schema.Json))
  })
)
const decodeTask = Schema.decodeUnknownSync(Task)
const decodeMessages = Schema.decodeUnknownSync(Messages)

/** A database that the service creates. */
const databaseOn = (server: string): string => {
  const url = new URL(server)
  url.pathname = `/${uniqueName()}`
  return url.href
}

/** The server may be away for a while. */
const patiently = Effect.retry(Schedule.upTo(Schedule.spaced("50 millis"), { duration: "60 seconds" }))

/** Many scenes are played side by side: asking all the time would take what the replicas need, and a busy machine takes its time. */
const until: typeof Waiting.until = (what, check, patience = "3 minutes") =>
  Waiting.until(what, check, patience, "50 millis")

/** Processes that start at the same time: starting is all work, and those that run already must not be taken for dead meanwhile. */
const starts = Semaphore.makeUnsafe(2)

/** Replicas of the service as processes, with everything that they talk to in the hands of the test. */
export const makeScene = Effect.fnUntraced(function* ({
  provider,
  server,
  size,
  variables = {}
}: {
  readonly provider: Provider
  /** How many replicas. */
  readonly size: number
  readonly variables?: Readonly<Record<string, string>>
  /** A PostgreSQL server that may be restarted; otherwise they use the one of all tests. */
  readonly server?: Context.Service.Shape<typeof Server>
}) {
  const databaseUrl = server === undefined ? yield* migrated : databaseOn(server.url)
  const database = new URL(databaseUrl).pathname.slice(1)
  const sql = yield* PgClient.make({ url: Redacted.make(databaseUrl), maxConnections: 2 }).pipe(
    Effect.provide(Reactivity.layer)
  )
  const disturbances = new Disturbances()
  const complaints: Array<string> = []

  const stored = sql`
    SELECT count(*) FILTER (WHERE "role" = 'ASSISTANT')::int AS replies,
      count(*) FILTER (WHERE "role" = 'ASSISTANT' AND "summaryId" IS NULL)::int AS visible,
      (SELECT count(*)::int FROM "Summary") AS summaries FROM "Message"`.pipe(patiently)
  const model = yield* Effect.acquireRelease(Effect.promise(provider.start), (emulator) =>
    Effect.promise(() => emulator.close())
  )
  const answers = modelOf({
    stored: () => Effect.runPromise(Effect.map(stored, (rows) => decodeStored(rows)[0])),
    complain: (complaint) => complaints.push(`the model ${complaint}`),
    disturbances
  })
  const desktop = yield* Desktop.scoped()
  const replicas: ReadonlyArray<Replica> = yield* Effect.forEach(
    Array.from({ length: size }, (_, index) => index),
    (index) =>
      makeReplica({
        databaseUrl,
        isOneOfMany: size > 1,
        variables: {
          ...provider.settings(model.url),
          ...variables,
          BYTEBOT_DESKTOP_BASE_URL: desktop.url
        },
        decide: ({ answered, texts }) => {
          const name = nameOfStatements(texts)
          if (isOfRun(texts)) disturbances.worksAt(index)
          const when = name === undefined ? undefined : disturbances.reach(name, index)
          if (when === "before") disturbances.strike()
          if (when === "after") void answered.then(() => disturbances.strike())
          if (when === undefined || !disturbances.losesStatements) return "pass"
          return when === "before" ? "drop" : "mute"
        }
      })
  )
  const start = (replica: Replica) => starts.withPermits(1)(replica.start)
  yield* Effect.forEach(replicas, start, { concurrency: "unbounded", discard: true })

  /** The desktop's requests are steps, too. Before a process dies it does its work, or never. */
  const watchDesktop = () => {
    let when: Disturbance["when"] | undefined
    const strikeAt = (moment: Disturbance["when"]) => {
      if (when === moment) setImmediate(() => disturbances.strike())
      return when === moment && disturbances.isDeadly
    }
    desktop.fault({
      match: (incoming) => {
        when = disturbances.reach(`desktop: ${actionName(incoming) ?? incoming.req}`)
        return strikeAt("before")
      },
      hang: true
    })
    desktop.fault({ match: () => strikeAt("after"), hang: true, executed: true })
  }

  const disconnect = Effect.gen(function* () {
    const server = yield* admin
    yield* server`SELECT pg_terminate_backend(pid) FROM pg_stat_activity
      WHERE datname = ${database} AND application_name = 'bytebot-agent'`
  }).pipe(Effect.scoped)

  const strike: Readonly<Record<Kind, (replica: Replica) => void>> = {
    kill: (replica) => replica.process().signal("SIGKILL"),
    stop: (replica) => replica.process().signal("SIGTERM"),
    freeze: (replica) => replica.process().signal("SIGSTOP"),
    cut: (replica) => replica.network.freeze(),
    disconnect: () => Effect.runFork(disconnect),
    restart: () => Effect.runFork(server?.signal("SIGINT") ?? Effect.void),
    crash: () => Effect.runFork(server?.signal("SIGQUIT") ?? Effect.void)
  }

  /** What was frozen or cut off is so no more; what has ended is started again. */
  const repair = Effect.fnUntraced(function* (replica: Replica, kind: Kind) {
    if (kind === "freeze") replica.process().signal("SIGCONT")
    if (kind === "cut") replica.network.thaw()
    if (kind === "kill" || kind === "stop") yield* replica.process().ended
    yield* start(replica)
    yield* until(
      "the replica answers",
      Effect.map(Effect.exit(request(replica.url, "GET", "/health/ready")), (exit) =>
        exit._tag === "Success" && exit.value.status === 200 ? true : undefined
      )
    )
  })

  const find = Effect.map(
    sql`SELECT "id" FROM "Task" WHERE "description" = ${description}`.pipe(patiently),
    (rows) => decodeIds(rows)[0]?.id
  )
  /** Asks one after the other for the task until there is one: a client does not know what became of a request without an answer. */
  const ensureTask = (urls: ReadonlyArray<string>) =>
    Effect.forEach(
      urls,
      (url) =>
        Effect.flatMap(find, (id) =>
          id === undefined
            ? request(url, "POST", "/tasks", newTask(provider)).pipe(Effect.timeout("12 seconds"), Effect.exit)
            : Effect.void
        ),
      { discard: true }
    ).pipe(
      Effect.andThen(find),
      Effect.repeat({ schedule: Schedule.spaced("50 millis"), until: (id) => id !== undefined })
    )

  const isOver = Effect.gen(function* () {
    if ((yield* find) === undefined) return false
    const due = yield* sql`SELECT 1 FROM "Task" WHERE "status" IN ('PENDING', 'RUNNING') AND "scheduledFor" IS NULL`
    return due.length === 0
  })
  /** Nobody has anything to say about it any more. A message in the hands of a frozen replica may stay there for longer. */
  const untilQuiet = until(
    "the cluster is quiet",
    Effect.map(sql`SELECT 1 FROM cluster_messages WHERE NOT processed AND deliver_at IS NULL`, (rows) =>
      rows.length === 0 ? true : undefined
    ),
    "3 seconds"
  ).pipe(Effect.exit)
  const untilOver = until(
    "the task is over",
    Effect.map(isOver, (over) => (over ? true : undefined))
  ).pipe(Effect.andThen(untilQuiet))

  const latestEpoch = Effect.map(patiently(sql`SELECT max("epoch")::int AS epoch FROM "TaskRun"`), (rows) =>
    Number(rows[0]?.epoch ?? 0)
  )

  const byAgent = sql`SELECT 1 FROM "Task" WHERE "createdBy" = 'ASSISTANT'`

  const outcome = Effect.fnUntraced(function* (gaps: (ids: ReadonlyArray<string>, status: string) => Array<string>) {
    const url = replicas[0]?.url ?? ""
    const id = yield* find
    const read = (path: string) =>
      request(url, "GET", path).pipe(
        Effect.flatMap(({ json, status }) =>
          status === 200 ? Effect.succeed(json) : Effect.fail(new Error(`${path}: ${status} ${JSON.stringify(json)}`))
        ),
        patiently,
        Effect.orDie
      )
    const task = decodeTask(yield* read(`/tasks/${id}`))
    const messages = decodeMessages(yield* read(`/tasks/${id}/messages?limit=10000`))
    const ids = messages.map((message) => message.id)
    // The last events may still be on their way.
    yield* Effect.exit(
      until(
        "all events",
        Effect.sync(() => (gaps(ids, task.status).length === 0 ? true : undefined)),
        "20 seconds"
      )
    )
    const left = yield* sql`SELECT 1 FROM "ToolExecution" UNION ALL SELECT 1 FROM "TaskRun" WHERE "active"`
    const created = yield* byAgent
    // A kill or an outage is no fault of the run.
    const faults = yield* sql`
      SELECT 1 FROM "TaskEvent" WHERE "taskId" = ${id} AND "payload"::text LIKE '%The work broke off%'`
    const broken = faults.map(() => "a run counted as broken")
    const rejected = model.rejected.map(({ error }) => `a request was rejected: ${error}`)
    return {
      task,
      messages,
      executed: desktop.executed
        .map(({ action }) => action)
        .filter((action) => actions.some(([, own]) => own === action)),
      created: created.length,
      leftovers: left.length,
      complaints: [...complaints, ...broken, ...rejected, ...gaps(ids, task.status)]
    }
  })

  /** For who has to find out why a play did not end: the last that each replica said. */
  const describe = () =>
    replicas.map((replica) => `${replica.name}: ${replica.process().output().slice(-4_000)}`).join("\n")

  /** Runs the task from its creation to its end, with one replica disturbed, and watched on each of them. */
  const play = Effect.fnUntraced(
    function* (plan: Disturbance | undefined) {
      // What the agent created stays: a replica that was away may find only now that it has been created already.
      yield* sql`DELETE FROM "Task" WHERE "createdBy" <> 'ASSISTANT'`
      const createdBefore = (yield* byAgent).length
      yield* sql`DELETE FROM cluster_messages WHERE deliver_at IS NOT NULL`
      model.reset()
      model.setDefault(answers)
      desktop.reset()
      complaints.length = 0
      watchDesktop()
      disturbances.arm(plan, (actor) => {
        const victim = replicas[actor]
        if (plan !== undefined && victim !== undefined) strike[plan.kind](victim)
      })
      const urls = replicas.map(({ url }) => url)
      const asking = yield* Effect.forkScoped(ensureTask(urls))
      const watching = yield* until("the task is there", find).pipe(
        Effect.flatMap((id) => Effect.forEach(urls, (url) => watch(url, id))),
        Effect.forkScoped
      )
      yield* until(
        "somebody is disturbed, or the task is over",
        Effect.map(isOver, (over) => (over || disturbances.victim !== undefined ? true : undefined))
      )
      if (disturbances.victim === undefined) yield* untilQuiet
      const steps = disturbances.disarm()
      const victim = replicas[disturbances.victim ?? -1]
      if (plan !== undefined && victim !== undefined) {
        const before = yield* latestEpoch
        if (size > 1) {
          yield* until(
            "the others have done the work, or begun to",
            Effect.gen(function* () {
              const hasMovedOn = plan.returnsSoon && (yield* latestEpoch) > before
              return hasMovedOn || (yield* isOver) ? true : undefined
            })
          )
        }
        yield* repair(victim, plan.kind)
        yield* Fiber.join(asking)
        yield* untilOver
      }
      const watchers = yield* Fiber.join(watching)
      const came = yield* outcome((ids, status) =>
        watchers.flatMap((watcher, index) => gapsOf(watcher, ids, status).map((gap) => `replica ${index}: ${gap}`))
      )
      return { ...came, steps, created: came.created - createdBefore } satisfies Played
    },
    Effect.scoped,
    Effect.tapCause(() => Effect.logError("A play without an end", describe()))
  )

  return { play, sql, replicas, model, desktop }
})

export type Scene = Effect.Success<ReturnType<typeof makeScene>>
