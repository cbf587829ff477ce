import { spawn } from "node:child_process"
import { randomBytes } from "node:crypto"
import { NodeRuntime } from "@effect/platform-node"
import { Effect, Redacted } from "effect"
import * as EmbeddedPostgres from "../src/database/EmbeddedPostgres.ts"
import { encodePng } from "../test/emulators/png.ts"
import { decodeTask, request } from "../test/support/RestClient.ts"
import { until } from "../test/support/Waiting.ts"
import { instantServer, toolUse } from "./instant.ts"
import { say } from "./report.ts"
import { folder, serviceProcess } from "./serviceProcess.ts"
import { inWords, median, spread } from "./statistics.ts"
import { conclude } from "./verdict.ts"

/**
 * What an iteration costs beside model, desktop and settling, which take no time here, in tasks of 200 iterations with screenshots of 200 kB:
 * against the least loop that stores the same rows (bench/baseline/loop.ts), on the same database and alternating. And a task of 500
 * iterations: is the last one as quick as the first, and does the service's memory stay flat?
 */

const rounds = 5
const iterations = 200
const long = 500

/** Noise does not compress. */
const noise = (width: number, height: number) =>
  encodePng({ width, height, rgba: randomBytes(width * height * 4) }).toString("base64")
const picture = noise(258, 194)

const baseline = (...urls: ReadonlyArray<string>) =>
  Effect.acquireRelease(
    Effect.callback<{ readonly url: string; readonly stop: () => void }>((resume) => {
      const child = spawn(process.execPath, ["bench/baseline/loop.ts", ...urls], {
        stdio: ["ignore", "pipe", "inherit"]
      })
      child.stdout.once("data", (port) =>
        resume(Effect.succeed({ url: `http://127.0.0.1:${String(port).trim()}`, stop: () => child.kill() }))
      )
    }),
    ({ stop }) => Effect.sync(stop)
  )

const program = Effect.gen(function* () {
  const dataDir = yield* folder
  const { url } = yield* EmbeddedPostgres.make({ dataDir, database: "bytebot", settings: {} })

  let wanted = iterations
  let calls: Array<{ readonly at: number; readonly bytes: number; readonly resident: number }> = []
  let resident = () => 0
  const model = yield* instantServer((body) => {
    const index = calls.length
    calls.push({ at: performance.now(), bytes: body.length, resident: index % 50 === 0 ? resident() : 0 })
    const input = { coordinates: { x: index, y: 1 }, button: "left", clickCount: 1 }
    return index < wanted
      ? toolUse(`t${index}`, "computer_click_mouse", input)
      : toolUse(`t${index}`, "set_task_status", { status: "completed", description: "ok" })
  })
  const desktop = yield* instantServer((body) =>
    body.includes("screenshot") ? JSON.stringify({ image: picture }) : "{}"
  )
  const service = yield* serviceProcess({
    DATABASE_URL: Redacted.value(url),
    ANTHROPIC_API_KEY: "any",
    ANTHROPIC_BASE_URL: model.url,
    BYTEBOT_DESKTOP_BASE_URL: desktop.url,
    BYTEBOT_SETTLE_DELAY: "0",
    BYTEBOT_MAX_ITERATIONS: String(long + 10)
  })
  resident = service.resident
  const other = yield* baseline(Redacted.value(url), model.url, desktop.url)

  /** From one call of the model to the next, in ms; the tasks of both run in turns. */
  const measured = Effect.fnUntraced(function* (run: Effect.Effect<unknown, Error>) {
    calls = []
    yield* run
    return calls.slice(1).map(({ at }, index) => at - (calls[index]?.at ?? at))
  })
  const ours = measured(
    Effect.gen(function* () {
      const created = yield* request(service.url, "POST", "/tasks", { description: "Go on and on." })
      const { id } = decodeTask(created.json)
      yield* until(
        "the task is completed",
        Effect.map(request(service.url, "GET", `/tasks/${id}`), ({ json }) =>
          decodeTask(json).status === "COMPLETED" ? true : undefined
        ).pipe(Effect.delay("200 millis")),
        "3 minutes"
      )
    })
  )
  const theirs = measured(
    Effect.promise(() => fetch(other.url, { method: "POST" })).pipe(
      Effect.filterOrFail(
        ({ ok }) => ok,
        ({ status }) => new Error(`the baseline answered ${status}`)
      )
    )
  )

  const times: Array<{ readonly ours: number; readonly theirs: number }> = []
  for (let round = -1; round < rounds; round++) {
    const pair = { ours: median(yield* ours), theirs: median(yield* theirs) }
    // The first round, of more than 4 s, warms up.
    if (round >= 0) times.push(pair)
  }
  const overhead = spread(times.map((pair) => pair.ours))
  const least = spread(times.map((pair) => pair.theirs))
  const ratio = spread(times.map((pair) => pair.ours / pair.theirs))
  yield* say(`an iteration, ms: ${inWords(overhead, 1)}; the least loop: ${inWords(least, 1)}`)
  yield* say(`ours ÷ least loop: ${inWords(ratio, 2)}`)

  wanted = long
  const durations = yield* ours
  const [early, late] = [median(durations.slice(5, 55)), median(durations.slice(-55, -5))]
  const largest = (from: number, to?: number) => Math.max(...calls.slice(from, to).map(({ bytes }) => bytes))
  const [early_bytes, late_bytes] = [largest(20, 120), largest(-100)]
  const megabytes = (bytes: number) => Number((bytes / 1024 / 1024).toFixed(1))
  const memory = calls.filter((call) => call.resident > 0).map((call) => megabytes(call.resident))
  yield* say(`${long} iterations, ms: iterations 5 to 55: ${early.toFixed(1)}, the last 50: ${late.toFixed(1)}`)
  yield* say(`largest request, MB: ${megabytes(early_bytes)} at first, ${megabytes(late_bytes)} at last`)
  yield* say(`resident memory every 50 iterations, MB: ${memory.join(", ")}`)

  yield* conclude("loop", { overhead, least, ratio, early, late, early_bytes, late_bytes, memory }, [
    { what: "an iteration's overhead, ms", reached: overhead.median, atMost: 40 },
    { what: "iteration 500 ÷ iteration 5", reached: late / early, atMost: 1.2 },
    { what: "size of the request, at last ÷ at first", reached: late_bytes / early_bytes, atMost: 1.2 }
  ])
}).pipe(Effect.scoped)

NodeRuntime.runMain(program)
