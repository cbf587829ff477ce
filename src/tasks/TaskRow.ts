import { DateTime, Effect, Schema } from "effect"
import { fileJson } from "../database/WireJson.ts"
import {
  type Role,
  type Task,
  type TaskId,
  type TaskPriority,
  type TaskStatus,
  type TaskType,
  TaskWithFiles
} from "../domain/Task.ts"

/** A row of "Task" as the driver reads it. The table's columns have these types, so a row needs no decoding; the JSON in two of them is any. */
export interface TaskRow {
  readonly id: TaskId
  readonly description: string
  readonly type: TaskType
  readonly status: TaskStatus
  readonly priority: TaskPriority
  readonly control: Role
  readonly createdAt: Date
  readonly createdBy: Role
  readonly scheduledFor: Date | null
  readonly updatedAt: Date
  readonly executedAt: Date | null
  readonly completedAt: Date | null
  readonly queuedAt: Date | null
  readonly error: string | null
  readonly result: Schema.Json
  readonly model: Schema.Json
}

const columns: ReadonlyArray<keyof TaskRow> = [
  "id",
  "description",
  "type",
  "status",
  "priority",
  "control",
  "createdAt",
  "createdBy",
  "scheduledFor",
  "updatedAt",
  "executedAt",
  "completedAt",
  "queuedAt",
  "error",
  "result",
  "model"
]

/** SQL: what a `TaskRow` holds of the row `alias`. */
export const taskColumns = (alias: string): string => columns.map((column) => `${alias}."${column}"`).join(", ")

const instantOf = (date: Date | null) => (date === null ? null : DateTime.fromDateUnsafe(date))

/** The task of the row; what else was selected beside its columns is left out. */
export const taskOf = (row: TaskRow): Task => ({
  id: row.id,
  description: row.description,
  type: row.type,
  status: row.status,
  priority: row.priority,
  control: row.control,
  createdAt: DateTime.fromDateUnsafe(row.createdAt),
  createdBy: row.createdBy,
  scheduledFor: instantOf(row.scheduledFor),
  updatedAt: DateTime.fromDateUnsafe(row.updatedAt),
  executedAt: instantOf(row.executedAt),
  completedAt: instantOf(row.completedAt),
  queuedAt: instantOf(row.queuedAt),
  error: row.error,
  result: row.result,
  model: row.model
})

/** A task's row with its files and the desktop that it asks for. */
export interface WholeTaskRow extends TaskRow {
  readonly files: unknown
  readonly desktop: string | null
}

/** SQL: what a `WholeTaskRow` holds of the row `alias`. */
export const wholeTaskColumns = (alias: string): string =>
  `${taskColumns(alias)}, ` +
  `(SELECT json_agg(${fileJson("f")} ORDER BY f."createdAt", f.ctid) FROM "File" f WHERE f."taskId" = ${alias}."id") AS files, ` +
  `(SELECT w."desktop" FROM "TaskDesktop" w WHERE w."taskId" = ${alias}."id") AS desktop`

const decodeFiles = Schema.decodeUnknownEffect(TaskWithFiles.fields.files)

/** The task of the row with its files. */
export const wholeTaskOf = (row: WholeTaskRow): Effect.Effect<TaskWithFiles, Schema.SchemaError> => {
  const task = row.desktop === null ? taskOf(row) : { ...taskOf(row), desktop: row.desktop }
  return row.files === null
    ? Effect.succeed({ ...task, files: [] })
    : Effect.map(decodeFiles(row.files), (files) => ({ ...task, files }))
}
