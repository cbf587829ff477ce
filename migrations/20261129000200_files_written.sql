-- The desktop that has the task's files, and how many of them, oldest first: they are not written again over what a person made of them.
ALTER TABLE "TaskRun" ADD COLUMN "filesOn" TEXT, ADD COLUMN "filesWritten" INTEGER NOT NULL DEFAULT 0;
