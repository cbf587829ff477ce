import { DateTime } from "effect"
import type { SqlClient } from "effect/sql"
import type { Effort, TaskPriority, TaskStatus } from "../domain/Task.ts"

/** Fields of a task that a client may set (docs/contract/rest.md, `PATCH /tasks/:id`); null clears an instant, absent fields stay. */
export interface TaskPatch {
  readonly status?: TaskStatus | undefined
  readonly priority?: TaskPriority | undefined
  readonly effort?: Effort | null | undefined
  readonly queuedAt?: DateTime.Utc | null | undefined
  readonly executedAt?: DateTime.Utc | null | undefined
  readonly completedAt?: DateTime.Utc | null | undefined
}

/** Whether a task that comes into the status stays on the desktop that it holds: others may have the desktop otherwise. */
export const keepsDesktop = (status: TaskStatus): boolean => status === "RUNNING" || status === "NEEDS_HELP"

/**
 * What is assigned to the columns of "Task". What follows from a status happens only where it is a new one, as the service's own
 * transitions do it: what was wrong is forgotten, a completed task has an end, one that is to run has none, and one that
 * needs help is under its user's control.
 */
export const patchedColumns = (sql: SqlClient.SqlClient, patch: TaskPatch, at: Date) => {
  const { completedAt, effort, executedAt, priority, queuedAt, status } = patch
  const instant = (column: string, value: DateTime.Utc | null | undefined) =>
    value === undefined
      ? []
      : [sql`${sql.literal(`"${column}"`)} = ${value === null ? null : DateTime.toDateUtc(value)}::timestamptz`]
  const ifNew = (column: string, value: ReturnType<typeof sql.literal>) => [
    sql`${sql.literal(`"${column}"`)} = CASE WHEN "Task"."status" = ${status ?? null}::"TaskStatus" THEN ${sql.literal(`"Task"."${column}"`)} ELSE ${value} END`
  ]
  const end =
    status === "COMPLETED"
      ? ifNew("completedAt", sql`${at}::timestamptz`)
      : status === "PENDING" || status === "RUNNING"
        ? ifNew("completedAt", sql.literal("NULL"))
        : []
  return sql.csv([
    // Something is always assigned, so that an empty patch is a statement, too.
    sql`"priority" = coalesce(${priority ?? null}::"TaskPriority", "Task"."priority")`,
    ...(effort === undefined ? [] : [sql`"effort" = ${effort}`]),
    ...(status === undefined ? [] : [sql`"status" = ${status}::"TaskStatus"`, ...ifNew("error", sql.literal("NULL"))]),
    ...(status === "NEEDS_HELP" ? ifNew("control", sql.literal(`'USER'::"Role"`)) : []),
    ...instant("queuedAt", queuedAt),
    ...instant("executedAt", executedAt),
    ...(completedAt === undefined ? end : instant("completedAt", completedAt))
  ])
}
