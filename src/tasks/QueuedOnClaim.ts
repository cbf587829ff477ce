import type { SqlClient } from "effect/sql"
import { taskJson } from "../database/WireJson.ts"

/**
 * Parts of the statement that claims a task (`next`: its row before, `task`: its row now, `run`: its run): one that is scheduled may come due
 * and be claimed before it was marked as queued. It is marked then, and the event that says so comes before that of the claim.
 */

/** The new value of `task."queuedAt"`. */
export const queuedAt = (sql: SqlClient.SqlClient, at: Date) => sql`
  CASE WHEN task."status" = 'PENDING' AND task."scheduledFor" IS NOT NULL THEN coalesce(task."queuedAt", ${at}::timestamptz) ELSE task."queuedAt" END`

/** Records the events of the claim. */
export const claimEvents = (sql: SqlClient.SqlClient, at: Date) => sql`
  INSERT INTO "TaskEvent" ("taskId", "kind", "payload", "createdAt")
  SELECT event."taskId", 'task_updated', event."payload", ${at} FROM (
    SELECT 1 AS "place", queued."id" AS "taskId", ${sql.literal(taskJson("queued"))} AS "payload" FROM (
      SELECT n."id", n."description", n."type", n."status", n."priority", n."control", n."createdAt", n."createdBy", n."scheduledFor",
        ${at}::timestamptz AS "updatedAt", n."executedAt", n."completedAt", ${at}::timestamptz AS "queuedAt", n."error", n."result", n."model"
      FROM next n JOIN run ON run."taskId" = n."id"
      WHERE n."status" = 'PENDING' AND n."scheduledFor" IS NOT NULL AND n."queuedAt" IS NULL
    ) queued
    UNION ALL SELECT 2, task."id", ${sql.literal(taskJson("task"))} FROM task
  ) event ORDER BY event."place"`
