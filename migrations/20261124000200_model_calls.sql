-- What the model was asked for a task and what that took; also what a reply's reasoning may be shown to again.
CREATE TABLE "ModelCall" (
  "id" TEXT NOT NULL,
  "taskId" TEXT NOT NULL,
  "messageId" TEXT,
  "purpose" TEXT NOT NULL,
  "provider" TEXT NOT NULL,
  "model" TEXT NOT NULL,
  "inputTokens" INTEGER NOT NULL,
  "outputTokens" INTEGER NOT NULL,
  "cacheReadTokens" INTEGER NOT NULL,
  "cacheWriteTokens" INTEGER NOT NULL,
  "cost" DOUBLE PRECISION,
  "durationMs" INTEGER NOT NULL,
  "prefix" TEXT,
  "createdAt" TIMESTAMP(3) NOT NULL,
  CONSTRAINT "ModelCall_pkey" PRIMARY KEY ("id"),
  CONSTRAINT "ModelCall_taskId_fkey" FOREIGN KEY ("taskId") REFERENCES "Task" ("id") ON DELETE CASCADE ON UPDATE CASCADE,
  CONSTRAINT "ModelCall_messageId_fkey" FOREIGN KEY ("messageId") REFERENCES "Message" ("id") ON DELETE SET NULL ON UPDATE CASCADE
);
CREATE INDEX "ModelCall_taskId_createdAt_idx" ON "ModelCall" ("taskId", "createdAt");
CREATE UNIQUE INDEX "ModelCall_messageId_key" ON "ModelCall" ("messageId");
