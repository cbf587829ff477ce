import { PgClient } from "@effect/sql-pg"
import { assert, it, layer } from "@effect/vitest"
import { Arbitrary, DateTime, Effect, Option, Schema } from "effect"
import { TaskCursorText } from "../../src/api/RequestFields.ts"
import { TaskPage } from "../../src/api/TasksApi.ts"
import { storableJson } from "../../src/database/StorableJson.ts"
import { taskJson } from "../../src/database/WireJson.ts"
import { Task, TaskPriority, TaskStatus, TaskWithFiles } from "../../src/domain/Task.ts"
import { type TaskRow, taskColumns, taskOf } from "../../src/tasks/TaskRow.ts"
import { taskPageWriter, taskText, taskWithFilesText } from "../../src/transports/http/TaskText.ts"
import { TestDatabase } from "../support/TestDatabase.ts"

/** What is read and written by hand, for speed, is what the schemas of the API yield. */

const encodeTask = Schema.encodeSync(Schema.fromJsonString(Task))
const encodeWhole = Schema.encodeSync(Schema.fromJsonString(TaskWithFiles))
const encodePage = Schema.encodeSync(Schema.fromJsonString(TaskPage))
const encodeCursor = Schema.encodeSync(TaskCursorText)
const pageText = ({
  tasks,
  ...page
}: Parameters<typeof taskPageWriter>[0] & { readonly tasks: ReadonlyArray<Task> }) => {
  const { add, end } = taskPageWriter(page)
  return [...tasks.map((task) => add([task]).join("")), ...end()].join("")
}
const decodeTask = Schema.decodeUnknownSync(Task)

it.effect.prop("texts of tasks have the bytes of the schemas", [Arbitrary.schema(TaskWithFiles)], ([whole]) =>
  Effect.sync(() => {
    const { files: _, ...task } = whole
    assert.strictEqual(taskText(task), encodeTask(task))
    assert.strictEqual(taskWithFilesText(whole), encodeWhole(whole))
    const page = { tasks: [task, task], total: 7, totalPages: null }
    assert.strictEqual(pageText(page), encodePage(page))
    const cursor = { createdAt: task.createdAt, position: 12n }
    assert.strictEqual(
      pageText({ ...page, totalPages: 3, next: encodeCursor(cursor) }),
      encodePage({ ...page, totalPages: 3, next: cursor })
    )
    assert.strictEqual(pageText({ ...page, tasks: [] }), encodePage({ ...page, tasks: [] }))
    assert.strictEqual(pageText({ ...page, next: null }), encodePage({ ...page, next: null }))
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
  test.effect.prop("are the tasks that the database's JSON of them is", [Arbitrary.schema(stored)], ([given]) =>
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
      const [row] = yield* Effect.fromOption(Option.fromUndefinedOr(rows[0]).pipe(Option.map((one) => [one] as const)))
      assert.strictEqual(taskText(taskOf(row)), encodeTask(decodeTask(row.json)))
    })
  )
})
