import { Context, Effect, Layer, Schema, Scope } from "effect"
import { SqlClient } from "effect/sql"
import * as Anthropic from "../emulators/anthropic.ts"
import * as Desktop from "../emulators/desktop.ts"
import { actionName } from "../emulators/desktopFaults.ts"
import { tap } from "../support/PostgresTap.ts"
import { request } from "../support/RestClient.ts"
import { freePort, type ServiceProcess, spawnService, untilReady } from "../support/ServiceProcess.ts"
import { clientLayer, migrated } from "../support/TestDatabase.ts"
import { until } from "../support/Waiting.ts"
import { type KillPoint, KillPoints } from "./KillPoints.ts"
import { actions, modelOf, nameOfStatements, newTask } from "./script.ts"
import { gapsOf, type Watcher, watch } from "./Watcher.ts"

/** What came of a task. */
export interface Played {
  /** What the service did to the outside, up to where it was killed. */
  readonly steps: ReadonlyArray<string>
  readonly task: typeof Task.Type
  readonly messages: typeof Messages.Type
  /** The actions that changed something on the desktop. */
  readonly executed: ReadonlyArray<string>
  /** Tasks that the agent created. */
  readonly created: number
  /** Rows of runs and tools that should have ended. */
  readonly leftovers: number
  /** What the model, and one who watched, have to complain of. */
  readonly complaints: ReadonlyArray<string>
}

/** The service as a process, with everything that it talks to in the hands of the test. */
export class Scene extends Context.Service<Scene, Effect.Success<typeof make>>()("test/Scene") {
  static readonly layer = Layer.effect(
    Scene,
    Effect.suspend(() => make)
  )
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

const make = Effect.gen(function* () {
  const databaseUrl = yield* migrated
  const sql = Context.get(yield* Layer.build(clientLayer(databaseUrl)), SqlClient.SqlClient)
  const points = new KillPoints()
  const complaints: Array<string> = []
  const services: Array<ServiceProcess> = []

  const way = yield* tap(databaseUrl, ({ answered, texts }) => {
    const name = nameOfStatements(texts)
    const when = name === undefined ? undefined : points.reach(name)
    if (when === "before") points.strike()
    if (when === "after") void answered.then(() => points.strike())
    return when === undefined ? "pass" : when === "before" ? "drop" : "mute"
  })
  const stored = sql`
    SELECT count(*) FILTER (WHERE "role" = 'ASSISTANT')::int AS replies,
      count(*) FILTER (WHERE "role" = 'ASSISTANT' AND "summaryId" IS NULL)::int AS visible,
      (SELECT count(*)::int FROM "Summary") AS summaries FROM "Message"`
  const model = yield* Anthropic.scoped({
    defaultReply: modelOf({
      stored: () => Effect.runPromise(Effect.map(stored, (rows) => decodeStored(rows)[0])),
      complain: (complaint) => complaints.push(`the model ${complaint}`),
      reach: (name) => points.reach(name),
      strike: () => points.strike()
    })
  })
  const desktop = yield* Desktop.scoped()
  const port = yield* freePort
  const variables = {
    DATABASE_URL: way.url,
    ANTHROPIC_API_KEY: "test-key",
    ANTHROPIC_BASE_URL: model.url,
    BYTEBOT_DESKTOP_BASE_URL: desktop.url
  }

  const scope = yield* Effect.scope
  const start = Effect.gen(function* () {
    const service = yield* spawnService(port, variables)
    services.push(service)
    yield* untilReady(service)
    return service
  }).pipe(Scope.provide(scope))
  /** The desktop's requests are steps, too. It does its work before the service dies, or never. */
  const watchDesktop = () => {
    let when: KillPoint["when"] | undefined
    const strikeAt = (moment: KillPoint["when"]) => {
      if (when === moment) setImmediate(() => points.strike())
      return when === moment
    }
    desktop.fault({
      match: (incoming) => {
        when = points.reach(`desktop: ${actionName(incoming) ?? incoming.req}`)
        return strikeAt("before")
      },
      hang: true
    })
    desktop.fault({ match: () => strikeAt("after"), hang: true, executed: true })
  }

  const find = Effect.map(
    sql`SELECT "id" FROM "Task" WHERE "description" = ${newTask.description}`,
    (rows) => decodeIds(rows)[0]?.id
  )
  /** Asks for the task unless there is one: a client does not know what became of a request without an answer. */
  const ensureTask = (url: string) =>
    Effect.flatMap(find, (id) =>
      id === undefined ? Effect.exit(request(url, "POST", "/tasks", newTask)) : Effect.void
    )

  /** Nothing is due any more, and nobody has anything to say about it. */
  const isOver = Effect.gen(function* () {
    const busy = yield* sql`
      SELECT 1 FROM "Task" WHERE "status" IN ('PENDING', 'RUNNING') AND "scheduledFor" IS NULL
      UNION ALL SELECT 1 FROM cluster_messages WHERE NOT processed AND deliver_at IS NULL`
    return busy.length === 0 && (yield* find) !== undefined
  })
  const untilOver = (orKilled: boolean) =>
    until(
      "the task is over",
      Effect.map(isOver, (over) => (over || (orKilled && points.hasKilled) ? true : undefined)),
      "60 seconds"
    )

  const outcome = Effect.fnUntraced(function* (url: string, watcher: Watcher | undefined) {
    const id = yield* find
    const task = decodeTask((yield* request(url, "GET", `/tasks/${id}`)).json)
    const messages = decodeMessages((yield* request(url, "GET", `/tasks/${id}/messages?limit=10000`)).json)
    const ids = messages.map((message) => message.id)
    const gaps = () => (watcher === undefined ? ["nobody watched"] : gapsOf(watcher, ids, task.status))
    // The last events may still be on their way.
    yield* Effect.exit(
      until(
        "all events",
        Effect.sync(() => (gaps().length === 0 ? true : undefined)),
        "5 seconds"
      )
    )
    const left = yield* sql`SELECT 1 FROM "ToolExecution" UNION ALL SELECT 1 FROM "TaskRun" WHERE "active"`
    const created = yield* sql`SELECT 1 FROM "Task" WHERE "createdBy" = 'ASSISTANT'`
    const rejected = model.rejected.map(({ error }) => `a request was rejected: ${error}`)
    return {
      task,
      messages,
      executed: desktop.executed
        .map(({ action }) => action)
        .filter((action) => actions.some(([, own]) => own === action)),
      created: created.length,
      leftovers: left.length,
      complaints: [...complaints, ...rejected, ...gaps()]
    }
  })

  /** Runs the task from its creation to its end, with the service killed at the given point and started again. */
  const play = Effect.fnUntraced(function* (point: KillPoint | undefined) {
    let service = services.at(-1) ?? (yield* start)
    yield* sql`DELETE FROM "Task"`
    yield* sql`DELETE FROM cluster_messages WHERE deliver_at IS NOT NULL`
    model.reset()
    desktop.reset()
    complaints.length = 0
    watchDesktop()
    points.arm(point, () => service.signal("SIGKILL"))
    yield* ensureTask(service.url)
    const watched = Effect.flatMap(find, (id) => (id === undefined ? Effect.undefined : watch(service.url, id)))
    let watcher = yield* watched
    yield* untilOver(true)
    const steps = points.disarm()
    if (points.hasKilled) {
      yield* service.ended
      service = yield* start
      yield* ensureTask(service.url)
      watcher ??= yield* watched
      yield* untilOver(false)
    }
    return { steps, ...(yield* outcome(service.url, watcher)) } satisfies Played
  }, Effect.scoped)

  return { start, play, sql, model, desktop, services }
})
