import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { recordedModels } from "../rest/RestService.ts"
import { request } from "../support/RestClient.ts"
import { clientLayer, empty } from "../support/TestDatabase.ts"
import { startService } from "../support/TestService.ts"
import { buildState, history } from "./original.ts"

const decodeTasks = Schema.decodeUnknownSync(
  Schema.Struct({ tasks: Schema.Array(Schema.Record(Schema.String, Schema.Json)), total: Schema.Int })
)
const decodeMessages = Schema.decodeUnknownSync(
  Schema.Array(Schema.Struct({ id: Schema.String, role: Schema.String, content: Schema.Json }))
)

const opus = { provider: "anthropic", name: "claude-opus-4-20250514", title: "Claude Opus 4" }

describe("the service on an adopted database", () => {
  for (const state of [1, 4, 8, history.length]) {
    it.live(`shows the old tasks and messages of state ${state}, and takes new ones`, () =>
      Effect.gen(function* () {
        const DATABASE_URL = yield* empty
        yield* Effect.provide(buildState(state), clientLayer(DATABASE_URL))
        const { url } = yield* startService({ ...recordedModels, DATABASE_URL })

        const list = decodeTasks((yield* request(url, "GET", "/tasks")).json)
        assert.deepStrictEqual(list.tasks.map(({ id }) => id).sort(), ["new", "old-1", "old-2"])
        const old = list.tasks.find(({ id }) => id === "old-2")
        // Under way in the original's hands: `control` came later and gave such tasks to their user.
        assert.include(old, {
          description: "in the middle",
          status: "RUNNING",
          control: "USER",
          priority: "URGENT",
          type: "IMMEDIATE",
          createdAt: "2025-04-01T10:00:00.001Z",
          updatedAt: "2025-04-02T00:00:00.000Z"
        })
        assert.deepStrictEqual(old?.model, opus)
        const done = (yield* request(url, "GET", "/tasks/old-1")).json
        assert.deepInclude(
          done,
          state >= 4
            ? { status: "COMPLETED", result: { a: [null], b: 1 }, error: "oh", completedAt: "2025-08-04T00:00:00.000Z" }
            : { status: "COMPLETED", result: null, error: null, completedAt: null }
        )

        const messages = decodeMessages((yield* request(url, "GET", "/tasks/old-1/messages")).json)
        assert.deepStrictEqual(
          messages.map(({ content, id, role }) => [id, role, content]),
          [
            ["message-1", "USER", [{ type: "text", text: "go" }]],
            ["message-2", "ASSISTANT", [{ type: "text", text: "no array" }]],
            ["message-3", "USER", [{ type: "text", text: "grüße ☃" }]]
          ]
        )
        const created = yield* request(url, "POST", "/tasks", { description: "a new one" })
        assert.strictEqual(created.status, 201)
        assert.strictEqual(decodeTasks((yield* request(url, "GET", "/tasks")).json).total, 4)
      }).pipe(Effect.scoped)
    )
  }
})
