import { assert, layer } from "@effect/vitest"
import { Effect, type Schema } from "effect"
import { maxOpen } from "../emulators/modelEmulator.ts"
import type { ReplyBlock } from "../emulators/modelReplies.ts"
import { decodeTask, request } from "../support/RestClient.ts"
import { createTask, messagesOf, Stage, showTask, untilStatus } from "../support/Stage.ts"
import { until } from "../support/Waiting.ts"

/** What a person does while the agent works (docs/contract/agent.md, "User control"). */

const click = {
  type: "tool_use",
  id: "a1",
  name: "computer_click_mouse",
  input: { button: "left", clickCount: 1 }
} as const
const typing = { type: "tool_use", id: "a2", name: "computer_type_text", input: { text: "not any more" } } as const

/** A reply that the model gives when it is told to. */
const heldReply = (use: ReplyBlock) => {
  const { promise, resolve } = Promise.withResolvers<void>()
  return { answer: resolve, reply: async () => ({ content: await promise.then(() => [use]) }) }
}

const types = (content: ReadonlyArray<Readonly<Record<string, Schema.Json>>>) => content.map((block) => block.type)

layer(Stage.layer({}, { reportOwnActions: true }), { timeout: "60 seconds", excludeTestServices: true })(
  "user control",
  (test) => {
    test.effect("a takeover lets the action in flight end, sends no other, captures the user, and resume goes on", () =>
      Effect.gen(function* () {
        const { desktop, model, url } = yield* Stage
        model.enqueue({ content: [click, typing] })
        const release = desktop.hold("click_mouse")
        const id = yield* createTask("takeover")
        yield* Effect.promise(() => desktop.waitForRequest("click_mouse"))
        const taken = yield* request(url, "POST", `/tasks/${id}/takeover`)
        assert.strictEqual(taken.status, 200)
        release()
        yield* Effect.promise(() => desktop.waitForRequest("POST /input-tracking/start"))
        yield* Effect.promise(() => desktop.waitForSocket())
        yield* until(
          "tracking",
          Effect.sync(() => desktop.tracking() || undefined)
        )
        assert.isFalse(desktop.actions().includes("type_text"))

        yield* until(
          "the user's action is stored",
          Effect.gen(function* () {
            desktop.emitUserAction({ action: "type_text", text: "mine", delay: 3 })
            const stored = yield* messagesOf(id)
            return stored.find(({ content }) => types(content)[0] === "user_action")
          })
        )
        const [, reply, results] = yield* messagesOf(id)
        assert.deepStrictEqual(types(reply?.content ?? []), ["tool_use", "tool_use"])
        assert.deepStrictEqual(
          results?.content.map((block) => [block.tool_use_id, block.is_error ?? false]),
          [
            ["a1", false],
            ["a2", true]
          ]
        )
        const resumed = yield* request(url, "POST", `/tasks/${id}/resume`)
        assert.strictEqual(resumed.status, 200)
        const done = yield* untilStatus(id, "COMPLETED")
        assert.strictEqual(done.control, "ASSISTANT")
        yield* until(
          "tracking ends",
          Effect.sync(() => (desktop.tracking() ? undefined : true))
        )
        assert.deepStrictEqual(
          model.rejected.map(({ error }) => error),
          []
        )
        assert.isTrue(JSON.stringify(model.requests.at(-1)?.body).includes("User performed action: computer_type_text"))
      }).pipe(Effect.scoped)
    )

    test.effect("a cancel during an action sends no other, and a completed in the same reply does not count", () =>
      Effect.gen(function* () {
        const { desktop, model, url } = yield* Stage
        model.reset()
        desktop.reset()
        model.enqueue({
          content: [
            click,
            typing,
            { type: "tool_use", id: "a3", name: "set_task_status", input: { status: "completed", description: "x" } }
          ]
        })
        const release = desktop.hold("click_mouse")
        const id = yield* createTask("cancel")
        yield* Effect.promise(() => desktop.waitForRequest("click_mouse"))
        assert.strictEqual((yield* request(url, "POST", `/tasks/${id}/cancel`)).status, 200)
        release()
        const stored = yield* until(
          "results",
          Effect.map(messagesOf(id), (all) => (all.length === 3 ? all : undefined))
        )
        assert.strictEqual(stored[2]?.content.length, 3)
        assert.strictEqual((yield* showTask(id)).status, "CANCELLED")
        assert.isFalse(desktop.actions().includes("type_text"))
      })
    )

    test.effect("a deleted task stops, and the next one runs", () =>
      Effect.gen(function* () {
        const { desktop, model, url } = yield* Stage
        model.reset()
        desktop.reset()
        model.enqueue({ hang: true })
        const id = yield* createTask("delete")
        yield* Effect.promise(() => model.waitForRequest(1))
        assert.strictEqual((yield* request(url, "DELETE", `/tasks/${id}`)).status, 204)
        yield* Effect.promise(() => model.waitFor((requests) => requests[0]?.aborted === true))
        const next = yield* createTask("after the deleted one")
        yield* untilStatus(next, "COMPLETED")
      })
    )

    test.effect(
      "an urgent task goes before one that waits longer, a message reaches the model, and a scheduled task waits",
      () =>
        Effect.gen(function* () {
          const { model, url } = yield* Stage
          model.reset()
          const { answer, reply } = heldReply({ type: "tool_use", name: "computer_screenshot", input: {} })
          model.enqueue(reply)
          const first = yield* createTask("first")
          yield* Effect.promise(() => model.waitForRequest(1))
          const low = decodeTask((yield* request(url, "POST", "/tasks", { description: "low", priority: "LOW" })).json)
          const urgent = decodeTask(
            (yield* request(url, "POST", "/tasks", { description: "urgent", priority: "URGENT" })).json
          )
          const later = decodeTask(
            (yield* request(url, "POST", "/tasks", {
              description: "later",
              type: "SCHEDULED",
              scheduledFor: "2099-01-01T00:00:00Z"
            })).json
          )
          yield* request(url, "POST", `/tasks/${first}/messages`, { message: "mind the gap" })
          answer()
          yield* untilStatus(low.id, "COMPLETED")
          yield* untilStatus(urgent.id, "COMPLETED")
          assert.strictEqual((yield* showTask(later.id)).status, "PENDING")
          const asked = model.requests.map(({ body }) => JSON.stringify(body.messages))
          assert.isTrue(asked[1]?.includes("mind the gap"))
          assert.isTrue(asked[2]?.includes("urgent"))
          assert.isTrue(asked[3]?.includes("low"))
          assert.deepStrictEqual(model.rejected, [])
        })
    )

    test.effect("failed and create_task with bad input are told to the model or the user", () =>
      Effect.gen(function* () {
        const { model } = yield* Stage
        model.reset()
        model.enqueue(
          {
            content: [
              { type: "tool_use", id: "c1", name: "create_task", input: { description: "x", scheduledFor: "whenever" } }
            ]
          },
          { content: [{ type: "tool_use", id: "c2", name: "frobnicate", input: { a: 1 } }] },
          {
            content: [
              { type: "tool_use", id: "c3", name: "set_task_status", input: { status: "paused", description: "x" } }
            ]
          },
          {
            content: [
              {
                type: "tool_use",
                id: "c4",
                name: "set_task_status",
                input: { status: "failed", description: "cannot" }
              }
            ]
          }
        )
        const id = yield* createTask("odd input")
        const failed = yield* untilStatus(id, "FAILED")
        assert.strictEqual(failed.error, "cannot")
        const results = (yield* messagesOf(id)).filter(({ content }) => types(content)[0] === "tool_result")
        assert.deepStrictEqual(
          results.map(({ content }) => content[0]?.is_error),
          [true, true, true, false]
        )
        assert.deepStrictEqual(model.rejected, [])
      })
    )

    // golden/agent-cancel-other-task*.json: the original stops whatever runs, and may start a second loop on it.
    test.effect("a cancel of a waiting task leaves the running one alone", () =>
      Effect.gen(function* () {
        const { model, url } = yield* Stage
        model.reset()
        const { answer, reply } = heldReply({ type: "tool_use", name: "computer_cursor_position", input: {} })
        model.enqueue(reply)
        const running = yield* createTask("A")
        yield* Effect.promise(() => model.waitForRequest(1))
        const waiting = yield* createTask("B")
        assert.strictEqual((yield* request(url, "POST", `/tasks/${waiting}/cancel`)).status, 200)
        assert.isFalse(model.requests[0]?.aborted)
        answer()
        yield* untilStatus(running, "COMPLETED")
        assert.strictEqual((yield* showTask(waiting)).status, "CANCELLED")
        assert.strictEqual(maxOpen(model.requests), 1)
        assert.lengthOf(model.requests, 2)
      })
    )

    // golden/agent-takeover-second-task-captures-into-first.json and agent-takeover-then-delete-then-user-action.json.
    test.effect("what the user does belongs to the task taken over last, and a deleted task takes nothing", () =>
      Effect.gen(function* () {
        const { desktop, model, url } = yield* Stage
        model.reset()
        desktop.reset()
        const first = yield* createTask("first of two")
        yield* untilStatus(first, "COMPLETED")
        yield* request(url, "POST", `/tasks/${first}/takeover`)
        yield* Effect.promise(() => desktop.waitForRequest("POST /input-tracking/start"))
        model.enqueue({ hang: true })
        const second = yield* createTask("second of two")
        yield* Effect.promise(() => model.waitFor((requests) => requests.length === 2))
        assert.strictEqual((yield* request(url, "POST", `/tasks/${second}/takeover`)).status, 200)
        yield* Effect.promise(() => desktop.waitForRequest("POST /input-tracking/start", 2))
        const before = (yield* messagesOf(first)).length
        yield* until(
          "the action is stored under the second task",
          Effect.gen(function* () {
            desktop.emitUserAction({
              action: "click_mouse",
              button: "left",
              coordinates: { x: 3, y: 4 },
              clickCount: 1,
              holdKeys: []
            })
            return (yield* messagesOf(second)).find(({ content }) => types(content)[0] === "user_action")
          })
        )
        assert.strictEqual((yield* messagesOf(first)).length, before)
        assert.strictEqual((yield* request(url, "DELETE", `/tasks/${second}`)).status, 204)
        desktop.emitUserAction({ action: "type_keys", keys: ["Escape"] })
        yield* until(
          "tracking ends",
          Effect.sync(() => (desktop.tracking() ? undefined : true))
        )
        const next = yield* createTask("after the deleted one")
        yield* untilStatus(next, "COMPLETED")
      })
    )

    // golden/agent-takeover-pending-then-run.json: the original picks a task that its user controls.
    test.effect("a waiting task that the user takes over is not picked until it is handed back", () =>
      Effect.gen(function* () {
        const { model, url } = yield* Stage
        model.reset()
        model.enqueue({ hang: true })
        const blocker = yield* createTask("blocker")
        yield* Effect.promise(() => model.waitForRequest(1))
        const taken = yield* createTask("taken over")
        assert.strictEqual((yield* request(url, "POST", `/tasks/${taken}/takeover`)).status, 200)
        yield* request(url, "POST", `/tasks/${blocker}/cancel`)
        const other = yield* createTask("another one")
        yield* untilStatus(other, "COMPLETED")
        assert.strictEqual((yield* showTask(taken)).status, "PENDING")
        yield* request(url, "POST", `/tasks/${taken}/resume`)
        yield* untilStatus(taken, "COMPLETED")
      })
    )

    // golden/agent-desktop-errors.json: the original calls HTTP errors a success, and a cursor without a position a position.
    test.effect("a desktop that fails is told to the model", () =>
      Effect.gen(function* () {
        const { desktop, model } = yield* Stage
        model.reset()
        desktop.reset()
        model.enqueue({
          content: [
            { type: "tool_use", id: "d1", name: "computer_screenshot", input: {} },
            { type: "tool_use", id: "d2", name: "computer_click_mouse", input: { button: "left", clickCount: 1 } },
            { type: "tool_use", id: "d3", name: "computer_cursor_position", input: {} },
            { type: "tool_use", id: "d4", name: "computer_read_file", input: { path: "/x" } },
            { type: "tool_use", id: "d5", name: "computer_type_text", input: { text: "x" } }
          ]
        })
        desktop.fault({ match: "screenshot", status: 500 })
        desktop.fault({ match: "click_mouse", status: 500 })
        desktop.fault({ match: "cursor_position", status: 500 })
        desktop.fault({ match: "read_file", status: 500 })
        desktop.fault({ match: "type_text", drop: true })
        const id = yield* createTask("broken desktop")
        yield* untilStatus(id, "COMPLETED")
        const [, , results] = yield* messagesOf(id)
        const words = (results?.content ?? []).map((block) => JSON.stringify(block.content))
        assert.isTrue(results?.content.every((block) => block.is_error === true))
        assert.isTrue(words[0]?.includes("ERROR: Failed to take screenshot"))
        assert.isTrue(words[1]?.includes("Error executing computer_click_mouse tool: "))
        assert.isTrue(words[2]?.includes("Error executing computer_cursor_position tool: "))
        assert.isTrue(words[3]?.includes("Error reading file: "))
        assert.isTrue(words[4]?.includes("Error executing computer_type_text tool: "))
        assert.deepStrictEqual(model.rejected, [])
      })
    )

    // golden/agent-takeover-resume-during-action-double-loop.json: the original ends up with two loops on one task.
    test.effect("takeover and resume during an action leave one loop", () =>
      Effect.gen(function* () {
        const { desktop, model, url } = yield* Stage
        model.reset()
        desktop.reset()
        const pointer = { type: "tool_use", name: "computer_cursor_position", input: {} } as const
        model.enqueue({ content: [click] }, ...Array.from({ length: 5 }, () => ({ content: [pointer], delayMs: 20 })))
        const release = desktop.hold("click_mouse")
        const id = yield* createTask("one loop")
        yield* Effect.promise(() => desktop.waitForRequest("click_mouse"))
        yield* request(url, "POST", `/tasks/${id}/takeover`)
        assert.strictEqual((yield* request(url, "POST", `/tasks/${id}/resume`)).status, 200)
        release()
        yield* untilStatus(id, "COMPLETED")
        assert.strictEqual(maxOpen(model.requests), 1)
        assert.lengthOf(model.requests, 7)
        assert.strictEqual(desktop.executed.filter(({ action }) => action === "click_mouse").length, 1)
        assert.deepStrictEqual(model.rejected, [])
      })
    )
  }
)
