import { fork, spawn } from "node:child_process"
import { NodeRuntime } from "@effect/platform-node"
import { Deferred, Effect, Redacted, Schema } from "effect"
import pg from "pg"
import * as EmbeddedPostgres from "../src/database/EmbeddedPostgres.ts"
import { contentOf, idOf, perRound } from "./events/messages.ts"
import { instantServer } from "./instant.ts"
import { say } from "./report.ts"
import { cpuMilliseconds, folder, memoryBytes, serviceProcess } from "./serviceProcess.ts"
import { inWords, median, spread } from "./statistics.ts"
import { conclude } from "./verdict.ts"

/**
 * What it costs to tell many subscribers of one task of its messages, and how late they hear of them, against the least socket.io server
 * that does the same (baseline/socket.ts). Both run on one database all the while, each with subscribers of tasks of its own, and take
 * turns. A few messages are committed one after the other, as the service commits them, and the next ones once everybody has these.
 * `node bench/events.ts [divisor of the subscribers] [rounds]`; without arguments the results are also written to
 * bench/results/events.json.
 */

const divisor = Number(process.argv[2] ?? 1)
const rounds = Number(process.argv[3] ?? 5)

/** Messages of 1 MB go to fewer: a thousand would be 20 GB for each server and round, more than two cores read in minutes. */
const kinds = [
  { kind: "small", first: 0, count: perRound.small, burst: 4, subscriberCount: 1_000 / divisor },
  { kind: "large", first: perRound.small, count: perRound.large, burst: 1, subscriberCount: 250 / divisor }
] as const
const allSubscribers = kinds.reduce((sum, { subscriberCount }) => sum + subscriberCount, 0)

/** Real clients among the subscribers: they parse what they get, of which the others look at the beginning. */
const realCount = 5

/** Milliseconds from the commit to the receipt, and the server's CPU time per delivered message in microseconds. */
type Figures = Readonly<Record<"p50" | "p99" | "cpu", number>>

const decodeReport = Schema.decodeUnknownSync(
  Schema.Struct({
    times: Schema.Array(Schema.instanceOf(Float64Array)),
    disorder: Schema.Int,
    damaged: Schema.Int
  })
)

/**
 * All subscribers of the task, in a process of their own. `expect` has to be run before the messages of the range are sent; what it gives
 * waits until all have all of them.
 */
const subscribers = (url: string, taskId: string, count: number) =>
  Effect.acquireRelease(
    Effect.callback<ReturnType<typeof fork>>((resume) => {
      const child = fork("bench/events/subscribers.ts", [url, taskId, String(count - realCount), String(realCount)], {
        serialization: "advanced"
      })
      child.once("message", () => resume(Effect.succeed(child)))
      child.once("exit", (code) => resume(Effect.die(new Error(`The subscribers ended: ${code}`))))
    }),
    (child) => Effect.sync(() => child.kill())
  ).pipe(
    Effect.map((child) => ({
      expect: Effect.fnUntraced(function* (from: number, to: number) {
        const report = yield* Deferred.make<ReturnType<typeof decodeReport>>()
        yield* Effect.callback<void>((resume) => {
          child.once("message", () => {
            child.once("message", (message) =>
              Deferred.doneUnsafe(
                report,
                Effect.sync(() => decodeReport(message))
              )
            )
            resume(Effect.void)
          })
          child.send({ from, to })
        })
        return Deferred.await(report).pipe(
          Effect.timeout("60 seconds"),
          Effect.mapError(() => new Error(`Messages ${from} to ${to - 1} did not all come`))
        )
      })
    }))
  )

const baseline = (url: string) =>
  Effect.acquireRelease(
    Effect.callback<{ readonly url: string; readonly pid: number; readonly stop: () => void }>((resume) => {
      const child = spawn(process.execPath, ["bench/baseline/socket.ts", url], { stdio: ["ignore", "pipe", "inherit"] })
      child.stdout.once("data", (port) =>
        resume(
          Effect.succeed({
            url: `http://127.0.0.1:${String(port).trim()}`,
            pid: child.pid ?? 0,
            stop: () => child.kill()
          })
        )
      )
    }),
    ({ stop }) => Effect.sync(stop)
  )

/** Commits the message as the service does; gives when the commit was asked for, in ms of the clock that all processes share. */
const commit = async (client: pg.Client, taskId: string, message: number): Promise<number> => {
  await client.query("BEGIN")
  await client.query({
    name: "message",
    text: `WITH message AS (
        INSERT INTO "Message" ("id", "content", "role", "updatedAt", "taskId") VALUES ($1, $2, 'USER', now(), $3) RETURNING "id", "taskId"
      )
      INSERT INTO "TaskEvent" ("taskId", "kind", "messageId", "createdAt") SELECT "taskId", 'new_message', "id", now() FROM message`,
    values: [idOf(taskId, message), JSON.stringify(contentOf(message)), taskId]
  })
  const at = Number(process.hrtime.bigint()) / 1e6
  await client.query("COMMIT")
  return at
}

const quantile = (sorted: Float64Array, part: number): number => sorted[Math.floor((sorted.length - 1) * part)] ?? 0

const program = Effect.gen(function* () {
  const dataDir = yield* folder
  const { url } = yield* EmbeddedPostgres.make({ dataDir, database: "bytebot", settings: { max_connections: "60" } })
  const desktop = yield* instantServer(() => "{}")
  const service = yield* serviceProcess({
    DATABASE_URL: Redacted.value(url),
    BYTEBOT_DESKTOP_BASE_URL: desktop.url,
    BYTEBOT_SOCKETS_PER_ADDRESS: String(allSubscribers),
    ...(process.env.NODE_FLAGS === undefined ? {} : { NODE_FLAGS: process.env.NODE_FLAGS })
  })
  const other = yield* baseline(Redacted.value(url))
  const client = yield* Effect.acquireRelease(
    Effect.promise(async () => {
      const client = new pg.Client({ connectionString: Redacted.value(url) })
      await client.connect()
      return client
    }),
    (client) => Effect.promise(() => client.end())
  )

  /** A task with its subscribers. */
  const audience = Effect.fnUntraced(function* (
    server: { readonly url: string; readonly pid: number },
    taskId: string,
    { burst, count, first, subscriberCount }: (typeof kinds)[number]
  ) {
    yield* Effect.promise(() =>
      client.query(
        `INSERT INTO "Task" ("id", "description", "status", "model", "updatedAt") VALUES ($1, 'bench', 'COMPLETED', '{"name": "m", "provider": "anthropic"}', now())`,
        [taskId]
      )
    )
    const { expect } = yield* subscribers(server.url, taskId, subscriberCount)
    return Effect.fnUntraced(function* (round: number) {
      const before = cpuMilliseconds(server.pid)
      const latencies: Array<number> = []
      for (let index = 0; index < count; index += burst) {
        const from = (round + 1) * (perRound.small + perRound.large) + first + index
        const report = yield* expect(from, from + burst)
        const commits: Array<number> = []
        for (let message = from; message < from + burst; message++) {
          commits.push(yield* Effect.promise(() => commit(client, taskId, message)))
        }
        const { damaged, disorder, times } = yield* report
        if (disorder + damaged > 0) return yield* Effect.die(new Error(`${disorder} out of order, ${damaged} damaged`))
        times.forEach((ofOne, at) => {
          for (const time of ofOne) latencies.push(time - (commits[at] ?? 0))
        })
      }
      const cpu = ((cpuMilliseconds(server.pid) - before) * 1_000) / (count * subscriberCount)
      const sorted = Float64Array.from(latencies).sort()
      return { p50: quantile(sorted, 0.5), p99: quantile(sorted, 0.99), cpu }
    })
  })

  const results = yield* Effect.forEach(
    kinds,
    Effect.fnUntraced(function* (of) {
      const measureOurs = yield* audience(service, `ours-${of.kind}`, of)
      const measureBaseline = yield* audience(other, `baseline-${of.kind}`, of)
      const measured: Array<Record<"ours" | "baseline", Figures>> = []
      for (let round = -1; round < rounds; round++) {
        const first = round % 2 === 0 ? yield* measureOurs(round) : yield* measureBaseline(round)
        const second = round % 2 === 0 ? yield* measureBaseline(round) : yield* measureOurs(round)
        const both = round % 2 === 0 ? { ours: first, baseline: second } : { ours: second, baseline: first }
        yield* say(`round ${round}, ${of.kind}: ${JSON.stringify(both)}`)
        // The first round warms up.
        if (round >= 0) measured.push(both)
      }
      const figures = (["p50", "p99", "cpu"] as const).map((figure) => {
        const ratios = measured.map(({ baseline, ours }) => ours[figure] / baseline[figure])
        return {
          figure,
          ours: median(measured.map(({ ours }) => ours[figure])),
          baseline: median(measured.map(({ baseline }) => baseline[figure])),
          ratio: spread(ratios)
        }
      })
      return { kind: of.kind, subscribers: of.subscriberCount, messages: of.count, lost: 0, outOfOrder: 0, figures }
    })
  )
  for (const { figures, kind } of results) {
    for (const { baseline, figure, ours, ratio } of figures) {
      yield* say(
        `${kind} ${figure}: ours ${ours.toFixed(2)}, baseline ${baseline.toFixed(2)}, ratio ${inWords(ratio, 2)}`
      )
    }
  }
  const peak = { ours: memoryBytes(service.pid, "VmHWM"), baseline: memoryBytes(other.pid, "VmHWM") }
  yield* say(`most memory: ours ${Math.round(peak.ours / 1e6)} MB, baseline ${Math.round(peak.baseline / 1e6)} MB`)
  if (process.argv[2] !== undefined) return
  yield* conclude(
    "events",
    { results, peak },
    results.flatMap(({ figures, kind }) =>
      figures
        .filter(({ figure }) => figure === "p99")
        .map(({ figure, ratio }) => ({ what: `${kind}: ${figure}`, reached: ratio.median, atMost: 1.5 }))
    )
  )
}).pipe(Effect.scoped)

NodeRuntime.runMain(program)
