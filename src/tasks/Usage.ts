import { Context, DateTime, Effect, Layer, Schema } from "effect"
import { SqlClient } from "effect/sql"
import { repeatable } from "../database/DatabaseRetry.ts"
import { Caller } from "../domain/Caller.ts"
import { ModelCall, type TaskUsage } from "../domain/ModelCall.ts"
import type { TaskId } from "../domain/Task.ts"
import { TaskNotFound } from "../domain/TaskErrors.ts"
import { visibleTo } from "./Visibility.ts"

/** What a task used since an instant. `cost` is in US dollars and leaves out calls whose prices are not known. */
export interface Spent {
  readonly replies: number
  readonly tokens: number
  readonly cost: number
}

/** What tasks took from models. */
export class Usage extends Context.Service<Usage>()("bytebot/Usage", {
  make: Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient

    const ofTask = Effect.fn("Usage.ofTask")(function* (id: TaskId) {
      yield* Effect.annotateCurrentSpan({ "task.id": id })
      const rows = yield* sql`
        SELECT t."id" AS task, c.* FROM "Task" t LEFT JOIN "ModelCall" c ON c."taskId" = t."id"
        WHERE t."id" = ${id} AND ${visibleTo(sql, yield* Caller, "t")} ORDER BY c."createdAt", c."id"`
      if (rows[0] === undefined) return yield* new TaskNotFound({ id })
      const calls = (yield* decodeCalls(rows.filter((row) => row.id !== null))).map(toCall)
      return { calls, total: totalOf(calls) }
    }, repeatable)

    /** Since the given instant (UTC), null meaning all: a person who hands a task back grants it a new budget. */
    const spent = Effect.fn("Usage.spent")(function* (id: TaskId, since: DateTime.Utc | null) {
      const rows = yield* sql`
        SELECT count(*) FILTER (WHERE "purpose" = 'reply')::int AS replies,
          coalesce(sum("inputTokens"::bigint + "outputTokens"), 0)::float8 AS tokens, coalesce(sum("cost"), 0)::float8 AS cost
        FROM "ModelCall"
        WHERE "taskId" = ${id} AND (${since === null ? null : DateTime.toDateUtc(since)}::timestamptz IS NULL
          OR "createdAt" > ${since === null ? null : DateTime.toDateUtc(since)}::timestamptz)`
      return yield* decodeSpent(rows[0])
    }, repeatable)

    return { ofTask, spent }
  })
}) {
  static readonly layer = Layer.effect(Usage, Usage.make)
}

const CallRow = Schema.Struct({
  id: Schema.String,
  messageId: Schema.NullOr(Schema.String),
  purpose: ModelCall.fields.purpose,
  provider: Schema.String,
  model: Schema.String,
  inputTokens: Schema.Int,
  outputTokens: Schema.Int,
  cacheReadTokens: Schema.Int,
  cacheWriteTokens: Schema.Int,
  cost: Schema.NullOr(Schema.Finite),
  durationMs: Schema.Int,
  createdAt: Schema.DateTimeUtcFromDate
})
const decodeCalls = Schema.decodeUnknownEffect(Schema.Array(CallRow))
const decodeSpent = Schema.decodeUnknownEffect(
  Schema.Struct({ replies: Schema.Int, tokens: Schema.Finite, cost: Schema.Finite })
)

const toCall = (row: typeof CallRow.Type): ModelCall => {
  const { cacheReadTokens, cacheWriteTokens, inputTokens, outputTokens, ...call } = row
  const tokens = { input: inputTokens, output: outputTokens, cacheRead: cacheReadTokens, cacheWrite: cacheWriteTokens }
  return { ...call, tokens }
}

const totalOf = (calls: ReadonlyArray<ModelCall>): TaskUsage["total"] => {
  const sum = (of: (call: ModelCall) => number) => calls.reduce((total, call) => total + of(call), 0)
  const priced = calls.filter(({ cost }) => cost !== null)
  return {
    calls: calls.length,
    tokens: {
      input: sum(({ tokens }) => tokens.input),
      output: sum(({ tokens }) => tokens.output),
      cacheRead: sum(({ tokens }) => tokens.cacheRead),
      cacheWrite: sum(({ tokens }) => tokens.cacheWrite)
    },
    cost: priced.length === 0 ? null : priced.reduce((total, { cost }) => total + (cost ?? 0), 0),
    unpricedCalls: calls.length - priced.length
  }
}
