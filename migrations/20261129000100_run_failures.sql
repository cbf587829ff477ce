-- Runs of a task in a row that ended by a fault, and when the next one may begin (UTC): until then other tasks have the desktop.
ALTER TABLE "TaskRun" ADD COLUMN "failures" INTEGER NOT NULL DEFAULT 0, ADD COLUMN "retryAt" TIMESTAMP(3);
