import { connect } from "node:net"
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Anthropic from "../emulators/anthropic.ts"
import * as Desktop from "../emulators/desktop.ts"
import { watch } from "../streams/Watcher.ts"
import { deltasIn } from "../support/Drafts.ts"
import { decodeTask, request } from "../support/RestClient.ts"
import { freePort, type ServiceProcess, spawnService, untilReady } from "../support/ServiceProcess.ts"
import { migrated } from "../support/TestDatabase.ts"
import { until } from "../support/Waiting.ts"

/** What streamed answers, and watchers of them who read nothing, make the service hold. */

/** Resident memory of the process, in bytes. */
const memoryOf = ({ url }: ServiceProcess) =>
  Effect.promise(() => fetch(`${url}/metrics`).then((answer) => answer.text())).pipe(
    Effect.map((text) => Number(/^process_memory_usage_bytes (\S+)$/m.exec(text)?.[1]))
  )

/** A watcher of all events who reads nothing. */
const deaf = ({ url }: ServiceProcess) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const socket = connect(Number(new URL(url).port), "127.0.0.1", () => {
        socket.write("GET /events HTTP/1.1\r\nHost: x\r\n\r\n")
        socket.pause()
      })
      return socket.on("error", () => undefined)
    }),
    (socket) => Effect.sync(() => socket.destroy())
  )

const iterations = 500
const said = "I look at the screen and go on. ".repeat(64)

it.live(
  "500 iterations of streamed answers stay flat in memory, also with watchers who read nothing",
  () =>
    Effect.gen(function* () {
      const model = yield* Anthropic.scoped()
      const desktop = yield* Desktop.scoped()
      let replies = 0
      model.setDefault((_request, { offers }) => {
        if (!offers("set_task_status")) return { content: [{ type: "text", text: "All went well so far." }] }
        replies += 1
        const input = { coordinates: { x: replies % 900, y: replies % 700 } }
        return {
          content: [
            { type: "thinking", thinking: said.slice(0, 400) },
            { type: "text", text: said },
            replies < iterations
              ? { type: "tool_use", name: "computer_move_mouse", input }
              : { type: "tool_use", name: "set_task_status", input: { status: "completed", description: "done" } }
          ],
          // The conversation is summarised now and then, as that of a real run.
          usage: { input_tokens: replies % 50 === 0 ? 900_000 : 1_000, output_tokens: 500 }
        }
      })
      const service = yield* spawnService(yield* freePort, {
        DATABASE_URL: yield* migrated,
        LOG_LEVEL: "error",
        ANTHROPIC_API_KEY: "test-key",
        ANTHROPIC_BASE_URL: model.url,
        BYTEBOT_DESKTOP_BASE_URL: desktop.url,
        BYTEBOT_MAX_ITERATIONS: "1000"
      })
      yield* untilReady(service)
      for (let count = 0; count < 5; count++) yield* deaf(service)
      const { seen } = yield* watch(`${service.url}/events`)
      const created = yield* request(service.url, "POST", "/tasks", { description: "go on" })
      const { id } = decodeTask(created.json)
      const at: Array<number> = []
      for (const count of [150, iterations]) {
        yield* until(
          `${count} replies`,
          Effect.sync(() => replies >= count || undefined),
          120_000
        )
        at.push(yield* memoryOf(service))
      }
      yield* until(
        "the end",
        Effect.map(request(service.url, "GET", `/tasks/${id}`), ({ json }) =>
          decodeTask(json).status === "COMPLETED" ? true : undefined
        )
      )
      const [before = 0, after = 0] = at
      yield* Effect.logInfo(`Resident memory: ${before} bytes after 150 replies, ${after} after ${iterations}`)
      assert.isBelow(after - before, 48 * 1024 * 1024)
      assert.isAbove(deltasIn(seen.map(({ data }) => data)).length, iterations)
      assert.deepStrictEqual(model.rejected, [])
    }).pipe(Effect.scoped),
  180_000
)
