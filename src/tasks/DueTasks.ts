import type { SqlClient, Statement } from "effect/sql"
import type { TaskId } from "../domain/Task.ts"

/** A value of a statement, or an expression in it. */
type Operand = string | ReturnType<SqlClient.SqlClient["literal"]>

/**
 * Whether the desktop may run the task `t` now (docs/contract/agent.md, "Pick"). A task that has been on a desktop stays with it, where its windows and
 * files are, unless it had to leave; one that asks for a desktop by name waits for that, and one whose run broke off for its pause. Run and wish are looked up task by task: as
 * joins they would make PostgreSQL read all tasks there are, in order to take one.
 */
export const isDueFor = (
  sql: SqlClient.SqlClient,
  desktop: { readonly url: Operand; readonly name: Operand },
  at: Date
) => sql`
  t."status" IN ('RUNNING', 'PENDING') AND t."control" = 'ASSISTANT'
  AND (t."status" = 'RUNNING' OR t."scheduledFor" IS NULL OR t."scheduledFor" <= ${at})
  AND coalesce((
    SELECT (r."desktop" = ${desktop.url} OR (r."movedFrom" IS NOT NULL AND NOT r."active")) AND (r."retryAt" IS NULL OR r."retryAt" <= ${at})
    FROM "TaskRun" r WHERE r."taskId" = t."id"), TRUE)
  AND coalesce((SELECT w."desktop" = ${desktop.name} FROM "TaskDesktop" w WHERE w."taskId" = t."id"), TRUE)`

/** Selects and locks the next due task of the desktop, if `isWanted`; the tasks in `passedOver` are left alone. */
export const nextDueFor = (
  sql: SqlClient.SqlClient,
  desktop: { readonly url: string; readonly name: string },
  at: Date,
  passedOver: ReadonlyArray<TaskId>,
  isWanted: Statement.Fragment
) => sql`
  SELECT t.*, EXISTS (SELECT 1 FROM "TaskDesktop" w WHERE w."taskId" = t."id") AS "isBound" FROM "Task" t
  WHERE ${isWanted} AND ${isDueFor(sql, desktop, at)} AND ${sql.and(passedOver.map((id) => sql`t."id" <> ${id}`))}
    AND coalesce(t."id" = (SELECT o."taskId" FROM "TaskRun" o WHERE o."active" AND o."desktop" = ${desktop.url}), TRUE)
  ORDER BY t."executedAt" ASC NULLS LAST, t."priority" DESC, t."queuedAt" ASC NULLS LAST, t."createdAt", t."position"
  LIMIT 1 FOR NO KEY UPDATE OF t SKIP LOCKED`
