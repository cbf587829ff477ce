import { assert } from "@effect/vitest"
import { Effect, Schedule, Schema } from "effect"
import type { Scripted } from "../emulators/modelReplies.ts"
import { decodeTask, request } from "../support/RestClient.ts"

/** A reply of the model that asks for one tool. */
export const use = (name: string, input: Readonly<Record<string, unknown>> = {}): Scripted => ({
  content: [{ type: "tool_use", name, input }]
})

const decodeMessages = Schema.decodeUnknownSync(
  Schema.Array(Schema.Struct({ role: Schema.String, content: Schema.Array(Schema.Record(Schema.String, Schema.Json)) }))
)

/** Creates a task over REST; its id. */
export const create = Effect.fnUntraced(function* (url: string, body: Readonly<Record<string, unknown>>) {
  const { json, status } = yield* request(url, "POST", "/tasks", body)
  assert.strictEqual(status, 201)
  return decodeTask(json).id
})

/** Waits longer than any of the outages should be felt. */
export const untilCompleted = (url: string, id: string) =>
  request(url, "GET", `/tasks/${id}`).pipe(
    Effect.flatMap(({ json, status }) =>
      status === 200 && decodeTask(json).status === "COMPLETED"
        ? Effect.void
        : Effect.fail(new Error(JSON.stringify(json)))
    ),
    Effect.retry(Schedule.upTo(Schedule.spaced("50 millis"), { duration: "30 seconds" }))
  )

/** The task's messages in short: who, and which tools or kinds of blocks. */
export const outline = Effect.fnUntraced(function* (url: string, id: string) {
  const messages = decodeMessages((yield* request(url, "GET", `/tasks/${id}/messages?limit=1000`)).json)
  return messages.map(({ content, role }) => [role, ...content.map(({ name, type }) => name ?? type)])
})
