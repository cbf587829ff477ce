import { Context, Effect, Layer, Option } from "effect"
import { SqlClient } from "effect/sql"
import { repeatable } from "../database/DatabaseRetry.ts"
import { Caller } from "../domain/Caller.ts"
import type { TaskId } from "../domain/Task.ts"
import { TaskNotFound } from "../domain/TaskErrors.ts"
import { makeCreation } from "./TaskCreation.ts"
import { listTasks } from "./TaskList.ts"
import {
  type Reserve,
  type TaskRow,
  taskColumns,
  taskOf,
  tasksOf,
  type WholeTaskRow,
  wholeTaskColumns,
  wholeTaskOf
} from "./TaskRow.ts"
import { makeTransitions } from "./TaskTransitions.ts"
import { visibleTo } from "./Visibility.ts"

/** Tasks as their users see and steer them: a task of another user is as if absent. */
export class Tasks extends Context.Service<Tasks>()("bytebot/Tasks", {
  make: Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    return { ...(yield* makeCreation), ...(yield* makeTransitions), ...readsOf(sql), list: listTasks(sql) }
  })
}) {
  static readonly layer = Layer.effect(Tasks, Tasks.make)
}

/** Made once, as it is the most frequent statement. */
const byId = `SELECT ${wholeTaskColumns("task")} FROM "Task" task WHERE task."id" = $1`

const readsOf = (sql: SqlClient.SqlClient) => {
  const whole = wholeTaskOf(sql)

  /** The task with its files; `reserve` is asked before these are read. */
  const getReserving = Effect.fn("Tasks.get")(function* (id: TaskId, reserve: Reserve) {
    yield* Effect.annotateCurrentSpan({ "task.id": id })
    const caller = yield* Caller
    const [row] = yield* caller.seesAll
      ? sql.unsafe<WholeTaskRow>(byId, [id])
      : sql.unsafe<WholeTaskRow>(`${byId} AND task."userId" = $2`, [id, caller.userId])
    return row === undefined ? yield* new TaskNotFound({ id }) : yield* whole(row, reserve)
  }, repeatable)

  return {
    getReserving,
    /** Tasks that the caller was given in a list; those that are gone are left out. */
    withIds: Effect.fn("Tasks.withIds")(tasksOf(sql), repeatable),
    get: (id: TaskId) =>
      Effect.catchTag(
        getReserving(id, () => Effect.void),
        "ServiceBusy",
        Effect.die
      ),
    /** The RUNNING task that was claimed last, if any. */
    inProgress: Effect.gen(function* () {
      const [row] = yield* sql<TaskRow>`
        SELECT ${sql.literal(taskColumns("task"))} FROM "Task" task WHERE task."status" = 'RUNNING' AND ${visibleTo(sql, yield* Caller, "task")}
        ORDER BY task."executedAt" DESC NULLS LAST, task."position" DESC LIMIT 1`
      return Option.map(Option.fromUndefinedOr(row), taskOf)
    }).pipe(repeatable, Effect.withSpan("Tasks.inProgress"))
  }
}
