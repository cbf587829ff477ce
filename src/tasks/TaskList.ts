import { DateTime, Effect, Option, Schema } from "effect"
import type { SqlClient } from "effect/sql"
import { repeatable } from "../database/DatabaseRetry.ts"
import { Caller } from "../domain/Caller.ts"
import type { Role, Task, TaskPriority, TaskStatus, TaskType } from "../domain/Task.ts"
import type { TaskCursor } from "../domain/TaskCursor.ts"
import { countOf } from "./TaskCounts.ts"
import { type TaskRow, taskColumns, taskOf, taskSize } from "./TaskRow.ts"
import { visibleTo } from "./Visibility.ts"

/** Which tasks to list: those for which every condition holds that is there. */
export interface TaskFilter {
  readonly statuses?: ReadonlyArray<TaskStatus> | undefined
  readonly priorities?: ReadonlyArray<TaskPriority> | undefined
  readonly types?: ReadonlyArray<TaskType> | undefined
  readonly createdBy?: ReadonlyArray<Role> | undefined
  /** Each of its words begins a word of the description. */
  readonly text?: string | undefined
}

/** A page of the list: by its number, from 1, or all that is older than a task; null is before the newest. */
export interface TaskListOptions extends TaskFilter {
  readonly limit: number
  readonly from: { readonly page: number } | { readonly after: TaskCursor | null }
  /** Bytes of texts that may be read. */
  readonly room: number
}

export interface TaskList {
  readonly tasks: ReadonlyArray<Task>
  /** The rest of the page, for which there was no room: `Tasks.withIds` reads it. */
  readonly unread: ReadonlyArray<{ readonly id: string; readonly size: number }>
  /** Of all that match. */
  readonly total: number
  /** The last task of a page that was asked for by `after`, if there are older ones. */
  readonly next: Option.Option<TaskCursor>
}

/** Lists tasks, newest first. */
export const listTasks = (sql: SqlClient.SqlClient) => {
  const columns = sql.literal(taskColumns("task", `task."upToHere" <= room."bytes"`))
  const size = sql.literal(taskSize("task"))
  const newestFirst = sql.literal(`task."createdAt" DESC, task."position" DESC`)

  /** The texts are literals of ours, so they may stand in the statement. One is asked for by =, as the index then has the tasks in order. */
  const isOneOf = (column: string, type: string, texts: ReadonlyArray<string> = []) => {
    const [first, ...others] = texts.map((text) => `'${text}'::"${type}"`)
    if (first === undefined) return []
    const values = others.length === 0 ? first : `ANY(ARRAY[${[first, ...others].join(",")}])`
    return [sql.literal(`task."${column}" = ${values}`)]
  }

  const conditionsOf = (filter: TaskFilter) => [
    ...isOneOf("status", "TaskStatus", filter.statuses),
    ...isOneOf("priority", "TaskPriority", filter.priorities),
    ...isOneOf("type", "TaskType", filter.types),
    ...isOneOf("createdBy", "Role", filter.createdBy)
  ]

  const hasWords = (text: string) =>
    sql`"descriptionWords"(task."description") @@ to_tsquery('simple', ${wordBeginnings(text)})`

  return Effect.fn("Tasks.list")(function* ({ from, limit, room, ...filter }: TaskListOptions) {
    const caller = yield* Caller
    const conditions = conditionsOf(filter)
    const wanted = sql.and([visibleTo(sql, caller, "task"), ...conditions])
    // OFFSET 0: found by the index of words, and without other processes. PostgreSQL, which can't know how rare the words are, would make
    // words of the newest tasks instead, or start processes that have nothing to do.
    const source =
      filter.text === undefined
        ? sql.literal(`"Task"`)
        : sql`(SELECT * FROM "Task" task WHERE ${hasWords(filter.text)} AND ${wanted} OFFSET 0)`
    const count =
      filter.text === undefined ? countOf(sql, caller, conditions) : sql`SELECT count(*)::int FROM ${source} task`
    const byCursor = "after" in from
    // Not a parameter: without the number PostgreSQL estimates a plan as expensive, and makes a new one for every page.
    const most = sql.literal(`LIMIT ${limit}`)
    const start = byCursor ? from.after : null
    const beyond =
      start === null
        ? sql.literal("TRUE")
        : sql`(task."createdAt", task."position") < (${DateTime.toDateUtc(start.createdAt)}, ${start.position})`
    const offset = byCursor || from.page === 1 ? sql.literal("") : sql`OFFSET ${(from.page - 1) * limit}`
    const last =
      byCursor && limit > 0
        ? sql`(
            SELECT json_build_object('createdAt', to_char(last."createdAt", 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'), 'position', last."position"::text) FROM (
              SELECT task."createdAt", task."position" FROM ${source} task WHERE ${wanted} AND ${beyond} ORDER BY ${newestFirst} LIMIT 1 OFFSET ${sql.literal(String(limit - 1))}
            ) last WHERE EXISTS (
              SELECT 1 FROM ${source} task WHERE ${wanted} AND (task."createdAt", task."position") < (last."createdAt", last."position")
            ))`
        : sql.literal("NULL::json")
    // One row at least, so that the total is there for a page without tasks, too.
    const rows = yield* sql<PageRow>`
      SELECT page."total", page."next", task.* FROM (
        SELECT (${count}) AS "total", ${last} AS "next"
      ) page LEFT JOIN LATERAL (
        SELECT ${columns}, task."position", task."size"::float8 AS "size", task."upToHere" <= room."bytes" AS "isRead" FROM (
          SELECT *, sum(task."size") OVER (ORDER BY ${newestFirst} ROWS UNBOUNDED PRECEDING) AS "upToHere" FROM (
            SELECT task.*, ${size} AS "size" FROM ${source} task WHERE ${wanted} AND ${beyond} ORDER BY ${newestFirst} ${most} ${offset}
          ) task
        ) task CROSS JOIN (SELECT ${room}::bigint AS "bytes") room
      ) task ON TRUE ORDER BY ${newestFirst}`
    const found = rows.flatMap((row) => (row.id === null ? [] : [row]))
    const tasks = found.filter(({ isRead }) => isRead).map(taskOf)
    const unread = found.slice(tasks.length).map(({ id, size }) => ({ id, size }))
    const { next, total } = rows[0] ?? { next: null, total: 0 }
    return { tasks, unread, total, next: next === null ? Option.none() : Option.some(yield* decodeCursor(next)) }
  }, repeatable)
}

/** As PostgreSQL reads it in a query: every word, each as the beginning of one. Punctuation separates words here as it does in the index. */
const wordBeginnings = (text: string): string =>
  text
    .split(/[\s!-/:-@[-`{-~]+/)
    .filter((word) => word !== "")
    .map((word) => `'${word}':*`)
    .join(" & ")

const decodeCursor = Schema.decodeUnknownEffect(
  Schema.Struct({
    createdAt: Schema.DateTimeUtcFromString,
    position: Schema.BigIntFromString
  })
)

/** A task of the page; all its columns are null where there is none. */
type PageRow = ((TaskRow & { readonly isRead: boolean; readonly size: number }) | { readonly id: null }) & {
  readonly total: number
  readonly next: unknown
}
