import { DateTime, Effect, pipe, Struct } from "effect"
import type { SqlClient } from "effect/sql"
import { jsonSize, taskColumnNames, taskJson } from "../database/WireJson.ts"
import type { ServiceBusy } from "../domain/LimitErrors.ts"
import type { Effort, Task, TaskWithFiles } from "../domain/Task.ts"
import { TaskNotFound } from "../domain/TaskErrors.ts"
import type { TaskFile } from "../domain/TaskFile.ts"

const instantOf = (date: Date | null) => (date === null ? null : DateTime.fromDateUnsafe(date))

const instants = {
  createdAt: DateTime.fromDateUnsafe,
  scheduledFor: instantOf,
  updatedAt: DateTime.fromDateUnsafe,
  executedAt: instantOf,
  completedAt: instantOf,
  queuedAt: instantOf
}

/** A row of "Task" as the driver reads it. The table's columns have these types, so a row needs no decoding. */
export type TaskRow = Omit<Task, keyof typeof instants | "desktop" | "effort"> & {
  readonly [Column in keyof typeof instants]: Parameters<(typeof instants)[Column]>[0]
}

/** The columns that clients fill with texts of any length. */
const long: ReadonlyArray<string> = ["description", "error", "result", "model"]

/** SQL: the columns of a `TaskRow`, of the row `alias`; the long ones are NULL where `isRead` does not hold. */
export const taskColumns = (alias: string, isRead?: string): string =>
  taskColumnNames
    .map((column) =>
      isRead === undefined || !long.includes(column)
        ? `${alias}."${column}"`
        : `CASE WHEN ${isRead} THEN ${alias}."${column}" END AS "${column}"`
    )
    .join(", ")

/** SQL: bytes of the long columns, at most. */
export const taskSize = (alias: string): string =>
  `octet_length(${alias}."description") + coalesce(octet_length(${alias}."error"), 0) + ` +
  `coalesce(${jsonSize(`${alias}."result"`)}, 0) + ${jsonSize(`${alias}."model"`)}`

/** Bytes of texts that are always read with their rows. */
export const smallSize = 256 * 1024

/** The tasks with these ids, which the caller was given before, in the same order; those that are gone are left out. */
export const tasksOf = (sql: SqlClient.SqlClient) => (ids: ReadonlyArray<string>) =>
  Effect.map(
    sql<TaskRow>`
      SELECT ${sql.literal(taskColumns("task"))} FROM json_array_elements_text(${JSON.stringify(ids)}::json) WITH ORDINALITY wanted("id", "place")
      JOIN "Task" task ON task."id" = wanted."id" ORDER BY wanted."place"`,
    (rows) => rows.map(taskOf)
  )

/** The task of the row; what else was selected beside its columns is left out. */
export const taskOf = (row: TaskRow): Task => pipe(row, Struct.pick(taskColumnNames), Struct.evolve(instants))

/** SQL: inserts an event for each row of `task` in the statement, which was updated. */
export const taskUpdated = (sql: SqlClient.SqlClient, at: Date) => sql`
  INSERT INTO "TaskEvent" ("taskId", "kind", "payload", "createdAt")
  SELECT task."id", 'task_updated', ${sql.literal(taskJson("task"))}, ${at} FROM task`

/** A task's row with the desktop and the effort that it asks for; its files are read apart, as most tasks have none. */
export interface WholeTaskRow extends TaskRow {
  /** Whether the texts were read. */
  readonly isRead: boolean
  readonly textBytes: number
  /** Of all its files, in base64; null: it has none. */
  readonly fileBytes: number | null
  readonly desktop: string | null
  readonly effort: Effort | null
}

/** SQL: bytes of the files of the row `alias`; null: it has none. */
export const fileBytes = (alias: string): string =>
  `(SELECT sum(octet_length(f."data"))::float8 FROM "File" f WHERE f."taskId" = ${alias}."id")`

/** SQL: what a `WholeTaskRow` holds of the row `alias`. */
export const wholeTaskColumns = (alias: string, isRead = `${taskSize(alias)} <= ${smallSize}`): string =>
  `${taskColumns(alias, isRead)}, ${alias}."effort", ${isRead} AS "isRead", (${taskSize(alias)})::float8 AS "textBytes", ${fileBytes(alias)} AS "fileBytes", ` +
  `(SELECT w."desktop" FROM "TaskDesktop" w WHERE w."taskId" = ${alias}."id") AS desktop`

/** What a task asks for, as its object shows it: absent where it asks for nothing. */
export const wishesOf = ({
  desktop,
  effort
}: {
  readonly desktop?: string | null | undefined
  readonly effort?: Effort | null | undefined
}): Pick<Task, "desktop" | "effort"> => ({
  ...(desktop === undefined || desktop === null ? {} : { desktop }),
  ...(effort === undefined || effort === null ? {} : { effort })
})

/** A row of "File". */
type FileRow = Omit<TaskFile, "createdAt" | "updatedAt"> & { readonly createdAt: Date; readonly updatedAt: Date }

/** Asked, before so many bytes are read into memory, whether they may be. */
export type Reserve = (bytes: number) => Effect.Effect<void, ServiceBusy>

/** The task of the row with its files, oldest first. */
export const wholeTaskOf = (sql: SqlClient.SqlClient) =>
  Effect.fnUntraced(function* (
    { desktop, effort, fileBytes, isRead, textBytes, ...row }: WholeTaskRow,
    reserve: Reserve
  ) {
    yield* reserve((fileBytes ?? 0) + (isRead ? 0 : textBytes))
    const [found] = isRead ? [taskOf(row)] : yield* tasksOf(sql)([row.id])
    if (found === undefined) return yield* new TaskNotFound({ id: row.id })
    const files =
      fileBytes === null
        ? []
        : yield* sql<FileRow>`
          SELECT f."id", f."name", f."type", f."size", f."data", f."createdAt", f."updatedAt", f."taskId" FROM "File" f
          WHERE f."taskId" = ${row.id} ORDER BY f."createdAt", f.ctid`
    return {
      ...found,
      ...wishesOf({ desktop, effort }),
      files: files.map((file) => ({
        ...file,
        createdAt: DateTime.fromDateUnsafe(file.createdAt),
        updatedAt: DateTime.fromDateUnsafe(file.updatedAt)
      }))
    } satisfies TaskWithFiles
  })
