import { randomBytes } from "node:crypto"
import { NodeRuntime } from "@effect/platform-node"
import { Effect } from "effect"
import { encodePng } from "../test/emulators/png.ts"
import { decodeTask, request } from "../test/support/RestClient.ts"
import { until } from "../test/support/Waiting.ts"
import { instantServer, toolUse } from "./instant.ts"
import { say } from "./report.ts"
import { serviceProcess } from "./serviceProcess.ts"

/**
 * A task of 500 iterations, each with an action and a screenshot of about 150 kB, model and desktop answering at once: is the last iteration as
 * quick as the first, and does the service's memory stay flat?
 */

const iterations = 500

/** Noise does not compress: 224 × 170 pixels are about 150 kB. */
const noise = () => encodePng({ width: 224, height: 170, rgba: randomBytes(224 * 170 * 4) }).toString("base64")

const median = (values: ReadonlyArray<number>): number =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0

const program = Effect.gen(function* () {
  const screenshot = noise()
  const times: Array<number> = []
  const sizes: Array<number> = []
  const memory: Array<number> = []
  let resident = () => 0
  const model = yield* instantServer((body) => {
    const index = times.push(performance.now()) - 1
    if (index % 50 === 0) {
      memory.push(resident())
      sizes.push(body.length)
    }
    return index < iterations
      ? toolUse(`t${index}`, "computer_click_mouse", { coordinates: { x: index, y: 1 }, button: "left", clickCount: 1 })
      : toolUse(`t${index}`, "set_task_status", { status: "completed", description: "ok" })
  })
  const picture = JSON.stringify({ image: screenshot })
  const desktop = yield* instantServer((body) => (body.includes("screenshot") ? picture : "{}"))
  const service = yield* serviceProcess({
    ANTHROPIC_API_KEY: "any",
    ANTHROPIC_BASE_URL: model.url,
    BYTEBOT_DESKTOP_BASE_URL: desktop.url,
    BYTEBOT_SETTLE_DELAY: "0",
    BYTEBOT_MAX_ITERATIONS: String(iterations + 10)
  })
  resident = service.resident
  const created = yield* request(service.url, "POST", "/tasks", { description: "Go on and on." })
  const { id } = decodeTask(created.json)
  yield* until(
    "the task is completed",
    Effect.map(request(service.url, "GET", `/tasks/${id}`), ({ json }) =>
      decodeTask(json).status === "COMPLETED" ? true : undefined
    ),
    "5 minutes"
  )
  const durations = times.slice(1).map((time, index) => time - (times[index] ?? time))
  const early = median(durations.slice(5, 55))
  const late = median(durations.slice(-55, -5))
  const megabytes = (bytes: number) => (bytes / 1024 / 1024).toFixed(1)
  yield* say(`screenshots of ${Math.round((screenshot.length * 3) / 4 / 1024)} kB`)
  yield* say(
    `iterations 5 to 55: ${early.toFixed(1)} ms, the last 50: ${late.toFixed(1)} ms (ratio ${(late / early).toFixed(2)})`
  )
  yield* say(`resident memory every 50 iterations, MB: ${memory.map(megabytes).join(", ")}`)
  yield* say(`size of the request every 50 iterations, MB: ${sizes.map(megabytes).join(", ")}`)
}).pipe(Effect.scoped)

NodeRuntime.runMain(program)
