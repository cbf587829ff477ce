import { Context, Duration, Effect, FiberSet, Layer, Option, Schema } from "effect"
import { HttpClient, HttpClientRequest } from "effect/http"
import { SqlClient } from "effect/sql"
import { Settings } from "../config/Settings.ts"
import { fileJson, messageJson, taskJson } from "../database/WireJson.ts"
import type { TaskId } from "../domain/Task.ts"

const patience = Duration.seconds(30)

/** Reports of ended tasks to BYTEBOT_ANALYTICS_ENDPOINT (docs/contract/agent.md, "Analytics"). */
export class Analytics extends Context.Service<
  Analytics,
  {
    /** Posts the task with its files and all its messages, in the background. A failure is logged, never felt. */
    readonly report: (id: TaskId) => Effect.Effect<void>
  }
>()("bytebot/Analytics") {
  static readonly layer = Layer.effect(
    Analytics,
    Effect.gen(function* () {
      const { analyticsEndpoint } = yield* Settings
      if (Option.isNone(analyticsEndpoint)) return Analytics.of({ report: () => Effect.void })
      const sql = yield* SqlClient.SqlClient
      const client = (yield* HttpClient.HttpClient).pipe(HttpClient.filterStatusOk)
      const reports = yield* FiberSet.make()

      const send = Effect.fn("Analytics.report")(function* (id: TaskId) {
        yield* Effect.annotateCurrentSpan({ "task.id": id })
        const rows = yield* sql`
          SELECT ${sql.literal(taskJson("t"))} AS task,
            (SELECT coalesce(json_agg(${sql.literal(fileJson("f"))} ORDER BY f."createdAt", f.ctid), '[]'::json) FROM "File" f WHERE f."taskId" = t."id") AS files,
            (SELECT coalesce(json_agg(${sql.literal(messageJson("m"))} ORDER BY m."createdAt", m."position"), '[]'::json) FROM "Message" m WHERE m."taskId" = t."id") AS messages
          FROM "Task" t WHERE t."id" = ${id}`
        if (rows[0] === undefined) return
        const { files, messages, task } = yield* decodeRow(rows[0])
        const request = HttpClientRequest.post(analyticsEndpoint.value).pipe(
          HttpClientRequest.bodyJsonUnsafe({ ...task, files, messages: messages.map(withoutSecrets) })
        )
        yield* client.execute(request).pipe(Effect.timeout(patience))
      })

      return Analytics.of({
        report: (id) =>
          send(id).pipe(
            Effect.catchCause((cause) => Effect.logWarning("The analytics endpoint did not take a report", cause)),
            FiberSet.run(reports),
            Effect.asVoid
          )
      })
    })
  )
}

const isSensitive = Schema.is(Schema.Struct({ isSensitive: Schema.Literal(true), text: Schema.String }))

/** The value with the text of every tool input that is marked as sensitive made unreadable. */
const withoutSecrets = (value: Schema.Json): Schema.Json => {
  if (Array.isArray(value)) return value.map(withoutSecrets)
  if (typeof value !== "object" || value === null) return value
  const entries = Object.entries(value).map(([key, item]) => [key, withoutSecrets(item)] as const)
  return isSensitive(value) ? { ...Object.fromEntries(entries), text: "(sensitive)" } : Object.fromEntries(entries)
}

const decodeRow = Schema.decodeUnknownEffect(
  Schema.Struct({
    task: Schema.Record(Schema.String, Schema.Json),
    files: Schema.Array(Schema.Json),
    messages: Schema.Array(Schema.Json)
  })
)
