-- The request that set a task going last, and the one before, as W3C traceparent: its runs continue that trace, on whichever replica.
CREATE TABLE "TaskTrace" (
  "taskId" TEXT NOT NULL,
  "traceparent" TEXT NOT NULL,
  "previous" TEXT,
  CONSTRAINT "TaskTrace_pkey" PRIMARY KEY ("taskId"),
  CONSTRAINT "TaskTrace_taskId_fkey" FOREIGN KEY ("taskId") REFERENCES "Task" ("id") ON DELETE CASCADE ON UPDATE CASCADE
);
