-- Tasks that a person controls: whether a desktop is held is asked often.
CREATE INDEX "Task_controlled_idx" ON "Task" ("id") WHERE "control" = 'USER';
