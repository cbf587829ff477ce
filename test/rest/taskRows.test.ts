import { PgClient } from "@effect/sql-pg"
import { assert, it, layer } from "@effect/vitest"
import { Arbitrary, DateTime, Effect, Option, Schema } from "effect"
import { TaskPage } from "../../src/api/TasksApi.ts"
import { storableJson } from "../../src/database/StorableJson.ts"
import { taskJson } from "../../src/database/WireJson.ts"
import { Task, TaskPriority, TaskStatus } from "../../src/domain/Task.ts"
import { type TaskRow, taskColumns, taskOf } from "../../src/tasks/TaskRow.ts"
import { taskPageWriter } from "../../src/transports/http/TaskPageWriter.ts"
import { TestDatabase } from "../support/TestDatabase.ts"

/** Rows are read without a Schema, for speed: they are the tasks that decoding the database's JSON yields. */

const encodeTask = Schema.encodeSync(Schema.fromJsonString(Task))
const decodeTask = Schema.decodeUnknownSync(Task)

const encodePage = Schema.encodeSync(Schema.fromJsonString(TaskPage))
const pages = Arbitrary.schema(TaskPage)

it.effect.prop("a page of tasks in pieces has the bytes of the schema", [pages], ([page]) =>
  Effect.sync(() => {
    const { tasks, ...others } = page
    const { add, end } = taskPageWriter(others)
    assert.strictEqual(tasks.map((task) => add([task])).join("") + end(), encodePage(page))
  })
)

const stored = Schema.Struct({
  description: Schema.String,
  status: TaskStatus,
  priority: TaskPriority,
  at: Schema.Int.check(Schema.isBetween({ minimum: -62_135_596_800_000, maximum: 253_402_300_799_999 })),
  isScheduled: Schema.Boolean,
  error: Schema.NullOr(Schema.String),
  json: Schema.Json
})

layer(TestDatabase.withClient, { timeout: "60 seconds" })("rows of tasks", (test) => {
  test.effect.prop(
    "a task read from columns equals the task read from the database's JSON",
    [Arbitrary.schema(stored)],
    ([given]) =>
      Effect.gen(function* () {
        const sql = yield* PgClient.PgClient
        const id = `t${yield* Effect.sync(() => Math.random())}`
        const at = DateTime.toDateUtc(DateTime.makeUnsafe(given.at))
        const text = (value: string) => value.replaceAll("\0", "")
        yield* sql`INSERT INTO "Task" ("id", "description", "status", "priority", "scheduledFor", "error", "result", "model", "createdAt", "updatedAt")
        VALUES (${id}, ${text(given.description)}, ${given.status}::"TaskStatus", ${given.priority}::"TaskPriority", ${given.isScheduled ? at : null},
          ${given.error === null ? null : text(given.error)}, ${storableJson(given.json)}::jsonb, ${storableJson({ name: given.json })}::jsonb, ${at}, ${at})`
        const rows = yield* sql<TaskRow & { readonly json: unknown }>`
        SELECT ${sql.literal(taskColumns("t"))}, ${sql.literal(taskJson("t"))} AS json FROM "Task" t WHERE t."id" = ${id}`
        const [row] = yield* Effect.fromOption(
          Option.fromUndefinedOr(rows[0]).pipe(Option.map((one) => [one] as const))
        )
        assert.strictEqual(encodeTask(taskOf(row)), encodeTask(decodeTask(row.json)))
      })
  )
})
