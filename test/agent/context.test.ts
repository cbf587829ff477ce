import { assert, layer } from "@effect/vitest"
import { Effect } from "effect"
import type { MessagesRequest } from "../emulators/anthropicRequest.ts"
import type { Scripted } from "../emulators/modelReplies.ts"
import { request } from "../support/RestClient.ts"
import { createTask, messagesOf, refusals, reset, Stage, untilStatus } from "../support/Stage.ts"

/** What of a long task a model is sent. The emulator refuses reasoning after an edited conversation, as newer models do. */

const thought = { type: "thinking", thinking: "hm" } as const
const wait = (duration: number): Scripted => ({
  content: [thought, { type: "tool_use", name: "computer_wait", input: { duration } }]
})
const finish: Scripted = {
  content: [{ type: "tool_use", name: "set_task_status", input: { status: "completed", description: "ok" } }]
}
const tooLong: Scripted = {
  status: 400,
  error: { type: "invalid_request_error", message: "prompt is too long: 250000 tokens > 200000 maximum" }
}

const occurrences = (body: MessagesRequest, what: string): number =>
  JSON.stringify(body.messages).split(what).length - 1
const pictures = (body: MessagesRequest): number => occurrences(body, `"type":"image"`)

layer(Stage.layer({ BYTEBOT_KEEP_SCREENSHOTS: "3" }), { timeout: "60 seconds", excludeTestServices: true })(
  "context",
  (test) => {
    test.effect("old screenshots are left out in blocks, so that most requests only add to the one before", () =>
      Effect.gen(function* () {
        yield* reset
        const { model } = yield* Stage
        model.enqueue(...Array.from({ length: 20 }, (_, index) => wait(index + 1)), finish)
        const id = yield* createTask("long")
        yield* untilStatus(id, "COMPLETED")
        assert.deepStrictEqual(yield* refusals, [])
        const counts = model.requests.map(({ body }) => pictures(body))
        assert.deepStrictEqual(counts, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 3, 4, 5, 6, 7, 8, 9, 10, 11])
        const hits = model.requests.filter(({ cacheRead }) => cacheRead === "messages").length
        assert.isAtLeast(hits, 19)
        // Reasoning comes back as long as nothing before it has changed.
        assert.isAtLeast(
          occurrences(model.requests[5]?.body ?? { model: "", max_tokens: 0, messages: [] }, `"thinking":"hm"`),
          5
        )
      })
    )

    test.effect("a message of the user that comes while the model thinks reaches the next call", () =>
      Effect.gen(function* () {
        yield* reset
        const { model, url } = yield* Stage
        const { promise, resolve } = Promise.withResolvers<void>()
        model.enqueue(wait(1), async () => {
          await promise
          return { content: [thought, { type: "tool_use", name: "computer_wait", input: { duration: 2 } }] }
        })
        model.enqueue(wait(3), finish)
        const id = yield* createTask("listen")
        yield* Effect.promise(() => model.waitForRequest(2))
        yield* request(url, "POST", `/tasks/${id}/messages`, { message: "the blue one" })
        resolve()
        yield* untilStatus(id, "COMPLETED")
        assert.include(JSON.stringify(model.requests[2]?.body.messages), "the blue one")
        assert.deepStrictEqual(yield* refusals, [])
      })
    )

    test.effect("reasoning that is refused is left out from then on, and what comes after it comes back", () =>
      Effect.gen(function* () {
        yield* reset
        const { model } = yield* Stage
        const words = "messages.1.content.0: Invalid `signature` in `thinking` block"
        const refusal: Scripted = { status: 400, error: { type: "invalid_request_error", message: words } }
        model.enqueue(wait(1), refusal, wait(2), wait(3), finish)
        const id = yield* createTask("keys have changed")
        yield* untilStatus(id, "COMPLETED")
        assert.deepStrictEqual(yield* refusals, [])
        assert.deepStrictEqual(
          model.requests.map(({ body }) => occurrences(body, `"thinking":"hm"`)),
          [0, 1, 0, 1, 2]
        )
        // What Claude says between calls are thoughts, which come back empty unless asked for.
        assert.deepStrictEqual(model.requests[0]?.body.thinking, { type: "adaptive", display: "summarized" })
      })
    )

    test.effect("summaries nest, keep calls with their results, and hide what they cover", () =>
      Effect.gen(function* () {
        yield* reset
        const { model, sql } = yield* Stage
        const crowded = (duration: number): Scripted => ({
          content: [thought, { type: "tool_use", name: "computer_wait", input: { duration } }],
          usage: { input_tokens: 170_000, output_tokens: 10 }
        })
        const summary = (text: string): Scripted => ({ content: [{ type: "text", text }] })
        model.enqueue(wait(1), crowded(2), summary("SUMMARY ONE"), crowded(3), summary("SUMMARY TWO"), wait(4), finish)
        const id = yield* createTask("forgetful", {
          model: { provider: "anthropic", name: "claude-x", contextWindow: 200_000 }
        })
        yield* untilStatus(id, "COMPLETED")
        assert.deepStrictEqual(yield* refusals, [])
        const summaries =
          yield* sql`SELECT "id", "content", "parentId" FROM "Summary" WHERE "taskId" = ${id} ORDER BY "createdAt", "content"`
        assert.deepStrictEqual(
          summaries.map(({ content, parentId }) => [content, parentId]),
          [
            ["SUMMARY ONE", null],
            ["SUMMARY TWO", summaries[0]?.id]
          ]
        )
        const hidden =
          yield* sql`SELECT "summaryId", count(*)::int AS messages FROM "Message" WHERE "taskId" = ${id} GROUP BY 1`
        // The first covers the task and one step; the second the step that was the reply to it.
        assert.sameDeepMembers(
          [...hidden],
          [
            { summaryId: summaries[0]?.id, messages: 3 },
            { summaryId: summaries[1]?.id, messages: 2 },
            { summaryId: null, messages: 6 }
          ]
        )
        const last = model.requests.at(-1)?.body
        assert.include(JSON.stringify(last?.messages[0]), "SUMMARY TWO")
        assert.notInclude(JSON.stringify(last?.messages), "SUMMARY ONE")
        const asked = model.requests[2]?.body
        assert.deepStrictEqual(asked?.tool_choice, { type: "none" })
      })
    )

    test.effect("a conversation that is too long is summarised, once, and the last step stays", () =>
      Effect.gen(function* () {
        yield* reset
        const { model } = yield* Stage
        model.enqueue(wait(1), wait(2), wait(3), tooLong, { content: [{ type: "text", text: "SHORTER" }] }, finish)
        const id = yield* createTask("too long")
        yield* untilStatus(id, "COMPLETED")
        const [, , , , summary, retried] = model.requests
        assert.strictEqual(summary === undefined ? -1 : pictures(summary.body), 0)
        assert.include(JSON.stringify(retried?.body.messages[0]), "SHORTER")
        assert.include(JSON.stringify(retried?.body.messages), `"duration":3`)
        assert.notInclude(JSON.stringify(retried?.body.messages), `"duration":2`)
        assert.deepStrictEqual(
          (yield* messagesOf(id)).map(({ summaryId }) => summaryId !== null),
          [true, true, true, true, true, false, false, false, false]
        )
      })
    )

    test.effect("a request that is too large has the conversation summarised", () =>
      Effect.gen(function* () {
        yield* reset
        const { model } = yield* Stage
        const tooLarge = { type: "request_too_large", message: "Request exceeds the maximum size" }
        model.enqueue(wait(1), wait(2), { status: 413, error: tooLarge })
        model.enqueue({ content: [{ type: "text", text: "SHORTER" }] }, finish)
        const id = yield* createTask("too large")
        yield* untilStatus(id, "COMPLETED")
        assert.include(JSON.stringify(model.requests.at(-1)?.body.messages[0]), "SHORTER")
      })
    )

    test.effect("a conversation that stays too long fails with the provider's words", () =>
      Effect.gen(function* () {
        yield* reset
        const { model } = yield* Stage
        model.enqueue(wait(1), tooLong, { content: [{ type: "text", text: "SHORTER" }] }, tooLong)
        const id = yield* createTask("far too long")
        const { error } = yield* untilStatus(id, "FAILED")
        assert.include(error ?? "", "prompt is too long")
        assert.strictEqual(model.requests.length, 4)
      })
    )
  }
)

layer(Stage.layer({ BYTEBOT_KEEP_SCREENSHOTS: "1000" }), { timeout: "60 seconds", excludeTestServices: true })(
  "limits",
  (test) => {
    test.effect("a request never holds more pictures than the provider takes", () =>
      Effect.gen(function* () {
        yield* reset
        const { model } = yield* Stage
        const move = (x: number): Scripted => ({
          content: [{ type: "tool_use", name: "computer_move_mouse", input: { coordinates: { x, y: 1 } } }]
        })
        model.enqueue(...Array.from({ length: 110 }, (_, index) => move(index)), finish)
        const id = yield* createTask("very long")
        yield* untilStatus(id, "COMPLETED")
        assert.deepStrictEqual(yield* refusals, [])
        assert.strictEqual(Math.max(...model.requests.map(({ body }) => pictures(body))), 100)
      })
    )
  }
)
