-- Tasks that a desktop may be about to take, in the order in which they are picked: not those that their user keeps, which each pick would have to pass over.
CREATE INDEX "Task_picked_idx" ON "Task" ("executedAt", "priority" DESC, "queuedAt", "createdAt", "position")
  WHERE "status" IN ('RUNNING', 'PENDING') AND "control" = 'ASSISTANT';
DROP INDEX "Task_due_idx";
