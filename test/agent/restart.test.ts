import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Anthropic from "../emulators/anthropic.ts"
import * as Desktop from "../emulators/desktop.ts"
import { decodeTask, request } from "../support/RestClient.ts"
import { startService } from "../support/TestService.ts"
import { until } from "../support/Waiting.ts"

const use = (id: string, name: string, input: unknown) => ({
  content: [{ type: "tool_use" as const, id, name, input }]
})

// golden/agent-sigterm.json: the original leaves the task RUNNING and starts it over.
it.live(
  "a task goes on where a stopped service left it: no stored reply is asked for again, no action is done twice",
  () =>
    Effect.gen(function* () {
      const model = yield* Anthropic.scoped()
      const desktop = yield* Desktop.scoped()
      const folder = yield* Effect.acquireRelease(
        Effect.promise(() => mkdtemp(join(tmpdir(), "bytebot-restart-"))),
        (path) => Effect.promise(() => rm(path, { recursive: true, force: true }))
      )
      const variables = {
        BYTEBOT_DATA_DIR: folder,
        SHUTDOWN_TIMEOUT: "1000",
        ANTHROPIC_API_KEY: "test-key",
        ANTHROPIC_BASE_URL: model.url,
        BYTEBOT_DESKTOP_BASE_URL: desktop.url
      }
      model.enqueue(use("b1", "computer_click_mouse", { button: "left", clickCount: 1 }), { hang: true })
      const id = yield* Effect.scoped(
        Effect.gen(function* () {
          const { url } = yield* startService(variables)
          const created = yield* request(url, "POST", "/tasks", { description: "outlives a restart" })
          yield* Effect.promise(() => model.waitForRequest(2))
          return decodeTask(created.json).id
        })
      )
      assert.isTrue(model.requests[1]?.aborted)
      yield* Effect.scoped(
        Effect.gen(function* () {
          const { url } = yield* startService(variables)
          yield* until(
            "the task completes",
            Effect.map(request(url, "GET", `/tasks/${id}`), ({ json }) =>
              decodeTask(json).status === "COMPLETED" ? true : undefined
            )
          )
        })
      )
      assert.lengthOf(model.requests, 3)
      assert.strictEqual(desktop.executed.filter(({ action }) => action === "click_mouse").length, 1)
      assert.deepStrictEqual(model.rejected, [])
    }).pipe(Effect.scoped),
  60_000
)
