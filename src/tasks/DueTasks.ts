import type { SqlClient } from "effect/sql"

/** A value of a statement, or an expression in it. */
type Operand = string | ReturnType<SqlClient.SqlClient["literal"]>

/** The tables that `isDueFor` speaks of: the task `t`, its run `r` and the desktop that it asks for, `w`. */
export const taskWithRun = `"Task" t LEFT JOIN "TaskRun" r ON r."taskId" = t."id" LEFT JOIN "TaskDesktop" w ON w."taskId" = t."id"`

/**
 * Whether the desktop may run the task now (agent.md, "Pick"). A task that has been on a desktop stays with it, where its windows and
 * files are, unless it had to leave; one that asks for a desktop by name waits for that.
 */
export const isDueFor = (
  sql: SqlClient.SqlClient,
  desktop: { readonly url: Operand; readonly name: Operand },
  at: Date
) => sql`
  t."status" IN ('RUNNING', 'PENDING') AND t."control" = 'ASSISTANT'
  AND (t."status" = 'RUNNING' OR t."scheduledFor" IS NULL OR t."scheduledFor" <= ${at})
  AND (r."taskId" IS NULL OR r."desktop" = ${desktop.url} OR (r."movedFrom" IS NOT NULL AND NOT r."active"))
  AND (w."taskId" IS NULL OR w."desktop" = ${desktop.name})`
