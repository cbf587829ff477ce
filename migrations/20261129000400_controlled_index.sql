-- Tasks that a person controls and that are not finished: whether a desktop is held is asked often.
CREATE INDEX "Task_controlled_idx" ON "Task" ("id")
  WHERE "control" = 'USER' AND "status" IN ('PENDING', 'RUNNING', 'NEEDS_HELP', 'NEEDS_REVIEW');
