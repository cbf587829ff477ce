import { assert, layer } from "@effect/vitest"
import { DateTime, Effect } from "effect"
import { SqlClient } from "effect/sql"
import { Caller, everybody } from "../../src/domain/Caller.ts"
import { listTasks, type TaskListOptions } from "../../src/tasks/TaskList.ts"
import { TestDatabase } from "../support/TestDatabase.ts"

/** What a list reads of the table "Task", where that holds very many. */

const total = 20_000
const newest = new Date("2026-01-01T00:00:00Z")

const fill = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  yield* sql`
    INSERT INTO "Task" ("id", "description", "status", "priority", "model", "createdAt", "updatedAt")
    SELECT 'task-' || n, 'number ' || n, (CASE WHEN n % 2000 = 0 THEN 'FAILED' ELSE 'COMPLETED' END)::"TaskStatus",
      (CASE WHEN n = 1 THEN 'URGENT' ELSE 'MEDIUM' END)::"TaskPriority", '{}', ${newest}::timestamptz - n * interval '1 second', now() FROM generate_series(1, ${total}::int) n`
  yield* sql`ANALYZE`
})

/** The list, and the rows of "Task" that it read. */
const read = Effect.fnUntraced(function* (options: TaskListOptions) {
  const sql = yield* SqlClient.SqlClient
  // In a transaction the session tells what it has not reported yet.
  const rowsRead = Effect.map(
    sql<{ rows: number }>`
      SELECT (seq_tup_read + coalesce(idx_tup_fetch, 0))::int AS rows FROM pg_stat_xact_user_tables WHERE relname = 'Task'`,
    ([row]) => row?.rows ?? Number.NaN
  )
  return yield* Effect.gen(function* () {
    const before = yield* rowsRead
    const { tasks, total } = yield* Effect.provideService(listTasks(sql)(options), Caller, everybody)
    return { total, found: tasks.length, rows: (yield* rowsRead) - before }
  }).pipe(sql.withTransaction)
})

layer(TestDatabase.withClient, { timeout: "60 seconds", excludeTestServices: true })("A list of tasks", (it) => {
  it.effect("reads about as many as it shows", () =>
    Effect.gen(function* () {
      yield* fill
      const page = { limit: 10, from: { page: 1 }, room: 1_000_000 }
      const middle = {
        createdAt: DateTime.subtract(DateTime.fromDateUnsafe(newest), { seconds: total / 2 }),
        position: 1n
      }
      const lists: ReadonlyArray<readonly [string, options: TaskListOptions, total: number, found: number]> = [
        ["all", page, total, 10],
        ["from the middle on", { ...page, from: { after: middle } }, total, 10],
        ["of a frequent status", { ...page, statuses: ["COMPLETED"] }, total - 10, 10],
        ["of rare ones", { ...page, statuses: ["FAILED", "RUNNING"] }, 10, 10],
        ["of a rare priority", { ...page, priorities: ["URGENT"] }, 1, 1],
        ["of a kind that there is not", { ...page, createdBy: ["ASSISTANT"], types: ["SCHEDULED"] }, 0, 0],
        ["with a rare word", { ...page, text: "12345" }, 1, 1]
      ]
      for (const [name, options, ...expected] of lists) {
        const { found, rows, total } = yield* read(options)
        assert.deepStrictEqual([total, found], expected, name)
        assert.isBelow(rows, 50, name)
      }
    })
  )
})
