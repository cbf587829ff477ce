import { assert, layer } from "@effect/vitest"
import { Effect } from "effect"
import type { DesktopRequest } from "../emulators/desktopFaults.ts"
import { command, createTask, messagesOf, reset, Stage, untilStatus } from "../support/Stage.ts"
import { until } from "../support/Waiting.ts"

/** A task's files on its desktop (docs/contract/agent.md, 2). */

const file = (name: string) => ({ name, base64: "AAEC", type: "text/plain", size: 3 })

const isWriteOf =
  (name: string) =>
  ({ body }: DesktopRequest) =>
    JSON.stringify(body).includes(`Desktop/${name}"`)

const writes = Effect.map(Stage, ({ desktop }) =>
  desktop.requests.flatMap(
    ({ body }) => /"write_file","path":"\/home\/user\/Desktop\/([^"]*)/.exec(JSON.stringify(body))?.[1] ?? []
  )
)

layer(Stage.layer(), { timeout: "60 seconds", excludeTestServices: true })("the files of a task", (test) => {
  test.effect("are not written again after a takeover during the first call of the model", () =>
    Effect.gen(function* () {
      yield* reset
      const { desktop, model } = yield* Stage
      model.enqueue({ hang: true })
      const id = yield* createTask("edit", { files: [file("a.txt"), file("b.txt")] })
      yield* Effect.promise(() => model.waitForRequest(1))
      assert.strictEqual(yield* command(id, "takeover"), 200)
      yield* Effect.promise(() => desktop.waitForRequest("POST /input-tracking/start"))
      assert.strictEqual(yield* command(id, "resume"), 200)
      yield* untilStatus(id, "COMPLETED")
      assert.deepStrictEqual(yield* writes, ["a.txt", "b.txt"])
    })
  )

  test.effect("that were written before a takeover are not written again, the others are", () =>
    Effect.gen(function* () {
      yield* reset
      const { desktop } = yield* Stage
      const release = desktop.hold(isWriteOf("b.txt"))
      const id = yield* createTask("edit", { files: [file("a.txt"), file("b.txt"), file("c.txt")] })
      yield* until(
        "the second file is under way",
        Effect.map(writes, (names) => (names.length === 2 ? true : undefined))
      )
      assert.strictEqual(yield* command(id, "takeover"), 200)
      release()
      yield* Effect.promise(() => desktop.waitForRequest("POST /input-tracking/start"))
      assert.strictEqual(yield* command(id, "resume"), 200)
      yield* untilStatus(id, "COMPLETED")
      assert.deepStrictEqual(yield* writes, ["a.txt", "b.txt", "c.txt"])
    })
  )

  test.effect("that can't be written do not end the task: the model is told which are missing and why", () =>
    Effect.gen(function* () {
      yield* reset
      const { desktop, model } = yield* Stage
      desktop.fault({ match: isWriteOf("b.txt"), status: 500, body: { message: "the disk is full" }, times: 100 })
      const id = yield* createTask("edit", { files: [file("a.txt"), file("b.txt"), file("c.txt")] })
      const { error } = yield* untilStatus(id, "COMPLETED")
      assert.strictEqual(error, null)
      assert.deepStrictEqual(yield* writes, ["a.txt", ...Array.from({ length: 5 }, () => "b.txt"), "c.txt"])
      const words = "b.txt: the desktop answered 500: the disk is full"
      assert.include(JSON.stringify(model.requests[0]?.body.messages), words)
      assert.include(JSON.stringify((yield* messagesOf(id))[1]), words)
      assert.strictEqual(model.requests.length, 1)
    })
  )
})
