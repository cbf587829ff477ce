-- What is few among very many tasks is found without reading the many.

-- The task that was taken up last (GET /tasks/in-progress).
CREATE INDEX "Task_running_idx" ON "Task" ("executedAt" DESC NULLS LAST, "position" DESC) WHERE "status" = 'RUNNING';

-- Tasks that come due, and how many are not due yet.
CREATE INDEX "Task_scheduledFor_idx" ON "Task" ("scheduledFor") WHERE "status" = 'PENDING' AND "scheduledFor" IS NOT NULL;

-- Kinds of tasks that are rare; frequent ones are found on the way through the newest. So few values fold into a small index.
CREATE INDEX "Task_kind_idx" ON "Task" ("type", "createdBy", "priority", "status");
