import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Anthropic from "../emulators/anthropic.ts"
import * as Desktop from "../emulators/desktop.ts"
import { makeReplica } from "../support/Replicas.ts"
import { decodeTask, request } from "../support/RestClient.ts"
import { migrated } from "../support/TestDatabase.ts"
import { until } from "../support/Waiting.ts"

/** Most statements for one iteration of a task: a model's call and one action (docs/scaling.md). */
const budget = 5

/** Statements that come by the clock, not by a task's iterations: locks and messages of the cluster, health, the desktop's state. */
const isByTheClock = (text: string) =>
  /cluster_|pg_locks|pg_advisory|set_config|^LISTEN|"DesktopOwner" SET|FROM "TaskEvent"|"DesktopStatus"|"TaskCount/.test(
    text
  )

it.live(
  `an iteration costs at most ${budget} statements`,
  () =>
    Effect.gen(function* () {
      const model = yield* Anthropic.scoped({
        defaultReply: ({ messages }) => {
          const wanted = Number(/(\d+) iterations/.exec(JSON.stringify(messages[0]))?.[1])
          const step = messages.filter(({ role }) => role === "assistant").length
          const tool =
            step < wanted - 1
              ? { name: "computer_move_mouse", input: { coordinates: { x: step, y: 1 } } }
              : { name: "set_task_status", input: { status: "completed", description: "done" } }
          return { content: [{ type: "tool_use", ...tool }] }
        }
      })
      const desktop = yield* Desktop.scoped()
      const seen: Array<string> = []
      const { start, url } = yield* makeReplica({
        databaseUrl: yield* migrated,
        decide: ({ texts }) => {
          seen.push(...texts.filter((text) => !isByTheClock(text)))
          return "pass"
        },
        isOneOfMany: false,
        variables: {
          ANTHROPIC_API_KEY: "any",
          ANTHROPIC_BASE_URL: model.url,
          BYTEBOT_DESKTOP_BASE_URL: desktop.url,
          BYTEBOT_SETTLE_DELAY: "0"
        }
      })
      yield* start
      const statementsOf = Effect.fnUntraced(function* (iterations: number) {
        const first = seen.length
        const asked = model.requests.length
        const { json } = yield* request(url, "POST", "/tasks", { description: `${iterations} iterations` })
        const { id } = decodeTask(json)
        yield* until(
          "the task is completed",
          Effect.map(request(url, "GET", `/tasks/${id}`), (answer) =>
            decodeTask(answer.json).status === "COMPLETED" ? true : undefined
          )
        )
        assert.strictEqual(model.requests.length - asked, iterations)
        // Those of our own looking at the task are not its own.
        return seen.slice(first).filter((text) => !text.includes('"fileBytes"')).length
      })

      yield* statementsOf(3)
      const short = yield* statementsOf(5)
      const long = yield* statementsOf(35)
      const each = (long - short) / 30
      assert.isAtMost(each, budget, `${short} statements for 5 iterations, ${long} for 35`)
      assert.isAbove(each, 1, "the statements are seen at all")
    }).pipe(Effect.scoped),
  60_000
)
