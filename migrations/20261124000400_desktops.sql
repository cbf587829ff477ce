-- How a desktop is, as the worker that drives it has seen it last.
ALTER TABLE "DesktopOwner"
  ADD COLUMN "lastSeenAt" TIMESTAMP(3),
  ADD COLUMN "unreachableSince" TIMESTAMP(3),
  ADD COLUMN "updatedAt" TIMESTAMP(3);

-- The desktop that a task had to leave, until the model has been told.
ALTER TABLE "TaskRun" ADD COLUMN "movedFrom" TEXT;

-- The name of the desktop that a task asks for; most tasks take any.
CREATE TABLE "TaskDesktop" (
  "taskId" TEXT NOT NULL,
  "desktop" TEXT NOT NULL,
  CONSTRAINT "TaskDesktop_pkey" PRIMARY KEY ("taskId"),
  CONSTRAINT "TaskDesktop_taskId_fkey" FOREIGN KEY ("taskId") REFERENCES "Task" ("id") ON DELETE CASCADE ON UPDATE CASCADE
);

-- Tasks that are not over, in the order in which they are picked.
CREATE INDEX "Task_due_idx" ON "Task" ("executedAt", "priority" DESC, "queuedAt", "createdAt", "position")
  WHERE "status" IN ('RUNNING', 'PENDING');
