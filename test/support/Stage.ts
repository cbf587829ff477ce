import { Context, Effect, Layer, Schema } from "effect"
import type { SqlClient } from "effect/sql"
import * as Anthropic from "../emulators/anthropic.ts"
import * as Desktop from "../emulators/desktop.ts"
import { decodeTask, request } from "./RestClient.ts"
import { startService } from "./TestService.ts"
import { until } from "./Waiting.ts"

/** The real service between an emulated model and an emulated desktop. */
export class Stage extends Context.Service<
  Stage,
  {
    readonly url: string
    readonly sql: SqlClient.SqlClient
    readonly model: Anthropic.AnthropicEmulator
    readonly desktop: Desktop.DesktopEmulator
  }
>()("test/Stage") {
  static readonly layer = (variables: Readonly<Record<string, string>> = {}, options: Desktop.DesktopOptions = {}) =>
    Layer.effect(
      Stage,
      Effect.gen(function* () {
        const model = yield* Anthropic.scoped()
        const desktop = yield* Desktop.scoped(options)
        const service = yield* startService({
          ANTHROPIC_API_KEY: "test-key",
          ANTHROPIC_BASE_URL: model.url,
          BYTEBOT_DESKTOP_BASE_URL: desktop.url,
          ...variables
        })
        return { ...service, model, desktop }
      })
    )
}

/** Deletes all tasks (one that needs help would keep the desktop), and forgets what the emulators saw and were told. */
export const reset = Effect.gen(function* () {
  const { desktop, model, sql } = yield* Stage
  yield* sql`DELETE FROM "Task"`
  model.reset()
  desktop.reset()
})

/** Creates a task over REST; its id. */
export const createTask = Effect.fnUntraced(function* (
  description: string,
  more: Readonly<Record<string, unknown>> = {}
) {
  const { url } = yield* Stage
  const { json } = yield* request(url, "POST", "/tasks", { description, ...more })
  return decodeTask(json).id
})

export const showTask = Effect.fnUntraced(function* (id: string) {
  const { url } = yield* Stage
  return decodeTask((yield* request(url, "GET", `/tasks/${id}`)).json)
})

/** Waits until the task has the status; the task then. */
export const untilStatus = Effect.fnUntraced(function* (id: string, status: string) {
  return yield* until(
    `${id} ${status}`,
    Effect.map(showTask(id), (task) => (task.status === status ? task : undefined))
  )
})

/** takeover, resume or cancel; the answer's status. */
export const command = Effect.fnUntraced(function* (id: string, name: "takeover" | "resume" | "cancel") {
  const { url } = yield* Stage
  return (yield* request(url, "POST", `/tasks/${id}/${name}`)).status
})

const decodeMessages = Schema.decodeUnknownSync(
  Schema.Array(
    Schema.Struct({
      role: Schema.String,
      summaryId: Schema.NullOr(Schema.String),
      content: Schema.Array(Schema.Record(Schema.String, Schema.Json))
    })
  )
)

/** All messages of the task that no summary hides, oldest first. */
export const messagesOf = Effect.fnUntraced(function* (id: string) {
  const { url } = yield* Stage
  return decodeMessages((yield* request(url, "GET", `/tasks/${id}/messages?limit=10000`)).json)
})

/** Messages of requests that the emulated model refused. */
export const refusals = Effect.map(Stage, ({ model }) => model.rejected.map(({ error }) => error))
