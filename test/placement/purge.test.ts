import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { SqlClient } from "effect/sql"
import * as Anthropic from "../emulators/anthropic.ts"
import * as Desktop from "../emulators/desktop.ts"
import { makeReplica } from "../support/Replicas.ts"
import { decodeTask, request } from "../support/RestClient.ts"
import { clientLayer, migrated } from "../support/TestDatabase.ts"
import { until } from "../support/Waiting.ts"

it.live(
  "messages of the cluster are deleted once they are handled, those for later are kept",
  () =>
    Effect.gen(function* () {
      const databaseUrl = yield* migrated
      const model = yield* Anthropic.scoped({
        defaultReply: {
          content: [{ type: "tool_use", name: "set_task_status", input: { status: "completed", description: "done" } }]
        }
      })
      const desktop = yield* Desktop.scoped()
      const replica = yield* makeReplica({
        databaseUrl,
        decide: () => "pass",
        isOneOfMany: false,
        variables: {
          ANTHROPIC_API_KEY: "any",
          ANTHROPIC_BASE_URL: model.url,
          BYTEBOT_DESKTOP_BASE_URL: desktop.url
        }
      })
      yield* Effect.gen(function* () {
        const sql = yield* SqlClient.SqlClient
        yield* replica.start
        yield* request(replica.url, "POST", "/tasks", { description: "later", scheduledFor: "2099-01-01T00:00:00Z" })
        const { json } = yield* request(replica.url, "POST", "/tasks", { description: "now" })
        const { id } = decodeTask(json)
        yield* until(
          "the task is completed and its wake-up handled",
          Effect.gen(function* () {
            const answer = yield* request(replica.url, "GET", `/tasks/${id}`)
            const handled = yield* sql`SELECT 1 FROM cluster_messages WHERE processed`
            return decodeTask(answer.json).status === "COMPLETED" && handled.length > 0 ? true : undefined
          })
        )

        // It is done at the start, and then every minute: a wake-up of the start that is handled just after it stays for that long.
        replica.process().signal("SIGTERM")
        yield* replica.process().ended
        yield* replica.start
        yield* until(
          "no handled message is left, nor a reply",
          Effect.gen(function* () {
            const left = yield* sql`
              SELECT 1 FROM cluster_messages WHERE processed UNION ALL SELECT 1 FROM cluster_replies`
            return left.length === 0 ? true : undefined
          }),
          "90 seconds"
        )
        const later = yield* sql`SELECT tag FROM cluster_messages WHERE deliver_at IS NOT NULL`
        assert.deepStrictEqual(later, [{ tag: "WakeAt" }])
      }).pipe(Effect.provide(clientLayer(databaseUrl)))
    }).pipe(Effect.scoped),
  180_000
)
