import { join } from "node:path"
import { NodeRuntime } from "@effect/platform-node"
import { PgClient } from "@effect/sql-pg"
import { Effect, Redacted } from "effect"
import { Reactivity } from "effect/reactivity"
import * as EmbeddedPostgres from "../src/database/EmbeddedPostgres.ts"
import { TaskStatus } from "../src/domain/Task.ts"
import * as Desktop from "../test/emulators/desktop.ts"
import { encodePng } from "../test/emulators/png.ts"
import { until } from "../test/support/Waiting.ts"
import { instantServer, toolUse } from "./instant.ts"
import { say } from "./report.ts"
import { folder, serviceProcess } from "./serviceProcess.ts"
import { heldBy, rowsOf } from "./soak/growth.ts"
import { hanging, makeLoad } from "./soak/load.ts"
import { conclude } from "./verdict.ts"

/**
 * A mixed load for `node bench/soak.ts SECONDS` (60 unless told), in six parts. Between them the service has nothing to do, and what it
 * holds then must not grow: memory after a garbage collection, connections, timers, and rows of tables that nothing done accounts for.
 */

const seconds = Number(process.argv[2] ?? 60)
const parts = 6
const steps = 4

const megabytes = (bytes: number): number => Number((bytes / 1024 / 1024).toFixed(1))

/** These keep what was done; all others are empty, or as they were, when there is nothing to do. */
const kept = new Set(["Task", "Message", "ModelCall", "TaskEvent", "TaskRun", "TaskTrace"])

/** A row for each kind of task that there has been: here they differ in their status and in one of two priorities. */
const countsAtMost = TaskStatus.literals.length * 2

const program = Effect.gen(function* () {
  const dataDir = yield* folder
  const { url: databaseUrl } = yield* EmbeddedPostgres.make({ dataDir, database: "bytebot", settings: {} })
  let calls = 0
  const model = yield* instantServer((body) => {
    const step = body.toString().split('"role":"assistant"').length - 1
    const id = `t${calls++}`
    if (body.includes(hanging)) return new Promise<string>(() => undefined)
    return step < steps
      ? toolUse(id, "computer_click_mouse", { coordinates: { x: calls % 1000, y: 1 }, button: "left", clickCount: 1 })
      : toolUse(id, "set_task_status", { status: "completed", description: "ok" })
  })
  const screenshot = encodePng({ width: 64, height: 48, rgba: Buffer.alloc(64 * 48 * 4, 0x55) }).toString("base64")
  const desktops = yield* Effect.forEach([1, 2, 3, 4], () => Desktop.scoped({ screenshot }))
  const probe = join(dataDir, "probe.sock")
  const service = yield* serviceProcess({
    NODE_FLAGS: "--expose-gc --import ./bench/soak/probe.ts",
    BENCH_PROBE: probe,
    DATABASE_URL: Redacted.value(databaseUrl),
    ANTHROPIC_API_KEY: "any",
    ANTHROPIC_BASE_URL: model.url,
    BYTEBOT_DESKTOP_BASE_URL: desktops.map(({ url }) => url).join(","),
    BYTEBOT_SETTLE_DELAY: "10"
  })
  const sql = yield* PgClient.make({ url: databaseUrl, maxConnections: 1 }).pipe(Effect.provide(Reactivity.layer))
  const { done, run } = makeLoad(service.url)

  /** When nothing runs any more, and what was handled is purged. */
  const settled = until(
    "nothing is left to do",
    Effect.map(
      sql`SELECT 1 FROM "TaskRun" WHERE "active" UNION ALL SELECT 1 FROM cluster_messages WHERE NOT processed AND deliver_at IS NULL LIMIT 1`,
      (rows) => (rows.length === 0 ? true : undefined)
    )
  )
  const sample = Effect.gen(function* () {
    yield* settled
    const held = yield* heldBy(probe)
    yield* say(
      `${done.created} tasks, ${done.requests} requests, ${done.events} events, ${done.failures.length} failures; heap ${megabytes(held.heap)} MB, external ${megabytes(held.external)}, resident ${megabytes(held.resident)}, ${held.fds} fds, ${held.resources} resources`
    )
    return { done: { ...done, failures: done.failures.length }, held, rows: yield* rowsOf(sql) }
  })

  const samples: Array<Effect.Success<typeof sample>> = []
  for (let part = 0; part < parts; part++) {
    yield* run((seconds * 1000) / parts)
    samples.push(yield* sample)
  }
  yield* until(
    "messages of the cluster are handled and deleted",
    Effect.map(sql`SELECT 1 FROM cluster_messages`, (rows) => (rows.length === 0 ? true : undefined)),
    "75 seconds"
  )
  const last = yield* sample
  // The first part warms up.
  const [first = last] = samples
  const tasks = last.done.created - first.done.created
  const perTask = Object.fromEntries(
    [...kept].map((table) => [table, ((last.rows[table] ?? 0) - (first.rows[table] ?? 0)) / tasks])
  )
  yield* say(`rows per task: ${JSON.stringify(perTask)}`)
  for (const failure of done.failures.slice(0, 20)) yield* say(failure)
  const others = Object.keys(last.rows).filter((table) => !kept.has(table) && table !== "TaskCount")

  yield* conclude("soak", { seconds, samples, last, perTask, calls }, [
    { what: "failed requests and subscribers", reached: done.failures.length, atMost: 0 },
    { what: "heap, growth in MB", reached: megabytes(last.held.heap - first.held.heap), atMost: 5 },
    { what: "buffers, growth in MB", reached: megabytes(last.held.external - first.held.external), atMost: 5 },
    { what: "open files and connections, growth", reached: last.held.fds - first.held.fds, atMost: 10 },
    { what: "timers, sockets and the like, growth", reached: last.held.resources - first.held.resources, atMost: 10 },
    { what: "rows of Task", reached: Math.abs((last.rows.Task ?? 0) - (done.created - done.deleted)), atMost: 0 },
    { what: "rows of ModelCall per answered call", reached: (last.rows.ModelCall ?? 0) / calls, atMost: 1 },
    // A step has two messages; a task one of its own and one of the user; each message and change of the task an event.
    { what: "rows of Message per task", reached: perTask.Message ?? 0, atMost: 2 * steps + 3 },
    { what: "rows of TaskEvent per task", reached: perTask.TaskEvent ?? 0, atMost: 2 * steps + 12 },
    { what: "rows of TaskCount", reached: last.rows.TaskCount ?? 0, atMost: countsAtMost },
    ...others.map((table) => ({
      what: `rows of ${table}, growth`,
      reached: (last.rows[table] ?? 0) - (samples[0]?.rows[table] ?? 0),
      atMost: 0
    }))
  ])
}).pipe(Effect.scoped)

NodeRuntime.runMain(program)
