-- Which task gets the input that a person gives on a desktop, and who that person is (NULL while accounts are off). At most one task per desktop.
CREATE TABLE "DesktopHold" (
  "desktop" TEXT NOT NULL,
  "taskId" TEXT NOT NULL,
  "userId" TEXT,
  "since" TIMESTAMP(3) NOT NULL,
  CONSTRAINT "DesktopHold_pkey" PRIMARY KEY ("desktop"),
  CONSTRAINT "DesktopHold_taskId_fkey" FOREIGN KEY ("taskId") REFERENCES "Task" ("id") ON DELETE CASCADE ON UPDATE CASCADE
);
CREATE INDEX "DesktopHold_taskId_idx" ON "DesktopHold" ("taskId");
