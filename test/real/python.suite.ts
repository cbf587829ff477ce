import { spawn, spawnSync } from "node:child_process"
import { fileURLToPath } from "node:url"
import { assert, beforeAll, layer } from "@effect/vitest"
import { Context, Effect, Layer, Schema } from "effect"
import { request } from "../support/RestClient.ts"
import { startService } from "../support/TestService.ts"
import { until } from "../support/Waiting.ts"

/** Clients of python-socketio, whose handlers are called with every argument of an event: `def handler(data)` takes one. */

/** Debian's, which has Debian's packages. */
const python = "/usr/bin/python3"
const program = fileURLToPath(new URL("../fixtures/events.py", import.meta.url))

class Served extends Context.Service<Served, { readonly url: string }>()("test/Served") {
  static readonly layer = Layer.effect(Served, startService({}))
}

const decodeId = Schema.decodeUnknownSync(Schema.Struct({ id: Schema.String }))

/** The program's output so far, line by line; it is killed with the scope. */
const client = (...given: ReadonlyArray<string>) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const child = spawn(python, [program, ...given], { stdio: ["ignore", "pipe", "pipe"] })
      let output = ""
      for (const stream of [child.stdout, child.stderr]) {
        stream.setEncoding("utf8").on("data", (text: string) => {
          output += text
        })
      }
      return { output: () => output, stop: () => child.kill("SIGKILL") }
    }),
    ({ stop }) => Effect.sync(stop)
  )

beforeAll(() => {
  const { status } = spawnSync(python, ["-c", "import socketio, aiohttp, websocket"], { stdio: "ignore" })
  if (status !== 0) {
    const packages = "python3-socketio python3-aiohttp python3-websocket"
    throw new Error(`python-socketio is missing. On Debian: apt-get install --no-install-recommends ${packages}`)
  }
})

layer(Served.layer, { timeout: "60 seconds", excludeTestServices: true })("python-socketio", (test) => {
  test.effect.each([
    ["threads", "websocket"],
    ["coroutines", "websocket"],
    ["coroutines", "polling"]
  ] as const)("gets each event with one argument: with %s, by %s", ([kind, transport]) =>
    Effect.gen(function* () {
      const { url } = yield* Served
      const task = {
        description: "seen from Python",
        model: { provider: "anthropic", name: "m" },
        scheduledFor: "2099-01-01T00:00:00Z"
      }
      const { id } = decodeId((yield* request(url, "POST", "/tasks", task)).json)
      const { output } = yield* client(url, id, transport, kind)
      const untilPrinted = (event: string) =>
        until(
          `${event} in Python's output`,
          Effect.sync(() => (output().includes(`["${event}", "`) || output().includes("Error") ? true : undefined)),
          "20 seconds"
        )
      yield* untilPrinted("joined")
      yield* request(url, "PATCH", `/tasks/${id}`, { priority: "HIGH" })
      yield* request(url, "POST", `/tasks/${id}/messages`, { message: "hello" })
      yield* untilPrinted("task_updated")
      yield* untilPrinted("new_message")
      assert.notInclude(output(), "Error")
    }).pipe(Effect.scoped)
  )
})
