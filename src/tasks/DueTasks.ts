import type { SqlClient } from "effect/sql"

/** A value of a statement, or an expression in it. */
type Operand = string | ReturnType<SqlClient.SqlClient["literal"]>

/**
 * Whether the desktop may run the task `t` now (docs/contract/agent.md, "Pick"). A task that has been on a desktop stays with it, where its windows and
 * files are, unless it had to leave; one that asks for a desktop by name waits for that. Run and wish are looked up task by task: as
 * joins they would make PostgreSQL read all tasks there are, in order to take one.
 */
export const isDueFor = (
  sql: SqlClient.SqlClient,
  desktop: { readonly url: Operand; readonly name: Operand },
  at: Date
) => sql`
  t."status" IN ('RUNNING', 'PENDING') AND t."control" = 'ASSISTANT'
  AND (t."status" = 'RUNNING' OR t."scheduledFor" IS NULL OR t."scheduledFor" <= ${at})
  AND coalesce((SELECT r."desktop" = ${desktop.url} OR (r."movedFrom" IS NOT NULL AND NOT r."active") FROM "TaskRun" r WHERE r."taskId" = t."id"), TRUE)
  AND coalesce((SELECT w."desktop" = ${desktop.name} FROM "TaskDesktop" w WHERE w."taskId" = t."id"), TRUE)`
