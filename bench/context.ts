import { NodeRuntime } from "@effect/platform-node"
import { Effect } from "effect"
import * as Anthropic from "../test/emulators/anthropic.ts"
import * as Desktop from "../test/emulators/desktop.ts"
import { decodeTask, request } from "../test/support/RestClient.ts"
import { startService } from "../test/support/TestService.ts"
import { until } from "../test/support/Waiting.ts"
import { promptCost } from "./promptCost.ts"
import { say } from "./report.ts"

/**
 * What a task of 100 steps, each an action with a screenshot, costs in prompts: with old screenshots left out, against the plain
 * behaviour that shows them all. Counted from the requests that the service sent.
 */

const steps = 100

const run = Effect.fnUntraced(function* (keep: number) {
  const model = yield* Anthropic.scoped()
  const desktop = yield* Desktop.scoped()
  const { url } = yield* startService({
    ANTHROPIC_API_KEY: "any",
    ANTHROPIC_BASE_URL: model.url,
    BYTEBOT_DESKTOP_BASE_URL: desktop.url,
    BYTEBOT_KEEP_SCREENSHOTS: String(keep),
    BYTEBOT_SETTLE_DELAY: "0"
  })
  model.enqueue(
    ...Array.from({ length: steps }, (_, step) => ({
      content: [
        {
          type: "text" as const,
          text: `Step ${step}: the button in the middle of the form seems to be the next thing to click.`
        },
        {
          type: "tool_use" as const,
          name: "computer_click_mouse",
          input: { coordinates: { x: 10 + step, y: 20 + step }, button: "left", clickCount: 1 }
        }
      ]
    }))
  )
  const created = yield* request(url, "POST", "/tasks", { description: "Fill in the form." })
  const { id } = decodeTask(created.json)
  yield* until(
    "the task is completed",
    Effect.map(request(url, "GET", `/tasks/${id}`), ({ json }) =>
      decodeTask(json).status === "COMPLETED" ? true : undefined
    )
  )
  return promptCost(model.requests.map(({ body }) => body))
}, Effect.scoped)

const thousands = (tokens: number): string => `${Math.round(tokens / 1000)}k`

const program = Effect.gen(function* () {
  const plain = yield* run(1000)
  yield* say("| screenshots kept | sent | read from cache | written | paid | of plain |")
  yield* say("| --- | --- | --- | --- | --- | --- |")
  for (const keep of [1000, 10, 5, 3]) {
    const cost = keep === 1000 ? plain : yield* run(keep)
    const cells = [
      keep === 1000 ? "all (plain)" : `${keep} to ${4 * keep - 1}`,
      ...[cost.sent, cost.read, cost.written, cost.paid].map(thousands),
      (cost.paid / plain.paid).toFixed(2)
    ]
    yield* say(`| ${cells.join(" | ")} |`)
  }
})

NodeRuntime.runMain(program)
