-- Brings the original's tables, at any state of their history (contract/database.md), to what 20261124000000_schema.sql makes, every
-- row kept. What a state has already is left as it is. The history's own steps are followed where they say what old rows get.

DO $$
DECLARE
  "previous" regtype;
BEGIN
  -- Message.type became role. NOT NULL comes back below: since PostgreSQL 18 it is a constraint with the column's name in its own.
  IF EXISTS (SELECT 1 FROM pg_attribute WHERE attrelid = '"Message"'::regclass AND attname = 'type' AND NOT attisdropped) THEN
    ALTER TABLE "Message" ALTER COLUMN "type" DROP NOT NULL;
    ALTER TABLE "Message" RENAME COLUMN "type" TO "role";
  END IF;
  IF EXISTS (SELECT 1 FROM pg_enum WHERE enumtypid = '"TaskStatus"'::regtype AND enumlabel = 'IN_PROGRESS') THEN
    ALTER TYPE "TaskStatus" RENAME VALUE 'IN_PROGRESS' TO 'RUNNING';
  END IF;
  IF to_regtype('"Role"') IS NULL THEN
    CREATE TYPE "Role" AS ENUM ('USER', 'ASSISTANT');
  END IF;
  IF to_regtype('"TaskType"') IS NULL THEN
    CREATE TYPE "TaskType" AS ENUM ('IMMEDIATE', 'SCHEDULED');
  END IF;
  -- The role had a type of its own, which goes unless somebody else's table uses it.
  SELECT atttypid INTO "previous" FROM pg_attribute WHERE attrelid = '"Message"'::regclass AND attname = 'role' AND NOT attisdropped;
  IF "previous" <> '"Role"'::regtype THEN
    ALTER TABLE "Message" ALTER COLUMN "role" DROP DEFAULT, ALTER COLUMN "role" TYPE "Role" USING "role"::text::"Role";
    BEGIN
      EXECUTE format('DROP TYPE %s', "previous");
    EXCEPTION WHEN dependent_objects_still_exist THEN
      NULL;
    END;
  END IF;
END
$$;

CREATE TABLE IF NOT EXISTS "User" (
  "id" TEXT NOT NULL,
  "name" TEXT,
  "email" TEXT NOT NULL,
  "emailVerified" BOOLEAN NOT NULL DEFAULT FALSE,
  "image" TEXT,
  "createdAt" TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  "updatedAt" TIMESTAMP(3) NOT NULL,
  CONSTRAINT "User_pkey" PRIMARY KEY ("id")
);
CREATE UNIQUE INDEX IF NOT EXISTS "User_email_key" ON "User" ("email");

CREATE TABLE IF NOT EXISTS "Session" (
  "id" TEXT NOT NULL,
  "userId" TEXT NOT NULL,
  "token" TEXT NOT NULL,
  "expiresAt" TIMESTAMP(3) NOT NULL,
  "ipAddress" TEXT,
  "userAgent" TEXT,
  "createdAt" TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  "updatedAt" TIMESTAMP(3) NOT NULL,
  CONSTRAINT "Session_pkey" PRIMARY KEY ("id")
);
CREATE UNIQUE INDEX IF NOT EXISTS "Session_token_key" ON "Session" ("token");

CREATE TABLE IF NOT EXISTS "Account" (
  "id" TEXT NOT NULL,
  "userId" TEXT NOT NULL,
  "accountId" TEXT NOT NULL,
  "providerId" TEXT NOT NULL,
  "accessToken" TEXT,
  "refreshToken" TEXT,
  "accessTokenExpiresAt" TIMESTAMP(3),
  "refreshTokenExpiresAt" TIMESTAMP(3),
  "scope" TEXT,
  "idToken" TEXT,
  "password" TEXT,
  "createdAt" TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  "updatedAt" TIMESTAMP(3) NOT NULL,
  CONSTRAINT "Account_pkey" PRIMARY KEY ("id")
);
CREATE UNIQUE INDEX IF NOT EXISTS "Account_providerId_accountId_key" ON "Account" ("providerId", "accountId");

CREATE TABLE IF NOT EXISTS "Verification" (
  "id" TEXT NOT NULL,
  "identifier" TEXT NOT NULL,
  "value" TEXT NOT NULL,
  "expiresAt" TIMESTAMP(3) NOT NULL,
  "createdAt" TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  "updatedAt" TIMESTAMP(3) NOT NULL,
  CONSTRAINT "Verification_pkey" PRIMARY KEY ("id")
);
CREATE UNIQUE INDEX IF NOT EXISTS "Verification_identifier_value_key" ON "Verification" ("identifier", "value");

CREATE TABLE IF NOT EXISTS "File" (
  "id" TEXT NOT NULL,
  "name" TEXT NOT NULL,
  "type" TEXT NOT NULL,
  "size" INTEGER NOT NULL,
  "data" TEXT NOT NULL,
  "createdAt" TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  "updatedAt" TIMESTAMP(3) NOT NULL,
  "taskId" TEXT NOT NULL,
  CONSTRAINT "File_pkey" PRIMARY KEY ("id")
);

-- control came with the default USER, and only then got ASSISTANT: tasks from before wait for their user and don't start by themselves.
ALTER TABLE "Task"
  ADD COLUMN IF NOT EXISTS "type" "TaskType" NOT NULL DEFAULT 'IMMEDIATE',
  ADD COLUMN IF NOT EXISTS "control" "Role" NOT NULL DEFAULT 'USER',
  ADD COLUMN IF NOT EXISTS "createdBy" "Role" NOT NULL DEFAULT 'USER',
  ADD COLUMN IF NOT EXISTS "scheduledFor" TIMESTAMP(3),
  ADD COLUMN IF NOT EXISTS "executedAt" TIMESTAMP(3),
  ADD COLUMN IF NOT EXISTS "completedAt" TIMESTAMP(3),
  ADD COLUMN IF NOT EXISTS "queuedAt" TIMESTAMP(3),
  ADD COLUMN IF NOT EXISTS "error" TEXT,
  ADD COLUMN IF NOT EXISTS "result" JSONB,
  ADD COLUMN IF NOT EXISTS "model" JSONB,
  ADD COLUMN IF NOT EXISTS "userId" TEXT;
ALTER TABLE "Message" ADD COLUMN IF NOT EXISTS "userId" TEXT;

UPDATE "Task" SET "model" = '{"provider": "anthropic", "name": "claude-opus-4-20250514", "title": "Claude Opus 4"}' WHERE "model" IS NULL;

-- Defaults and NOT NULL as the newest state has them.
ALTER TABLE "Task"
  ALTER COLUMN "type" SET DEFAULT 'IMMEDIATE', ALTER COLUMN "type" SET NOT NULL,
  ALTER COLUMN "status" SET DEFAULT 'PENDING', ALTER COLUMN "status" SET NOT NULL,
  ALTER COLUMN "priority" SET DEFAULT 'MEDIUM', ALTER COLUMN "priority" SET NOT NULL,
  ALTER COLUMN "control" SET DEFAULT 'ASSISTANT', ALTER COLUMN "control" SET NOT NULL,
  ALTER COLUMN "createdBy" SET DEFAULT 'USER', ALTER COLUMN "createdBy" SET NOT NULL,
  ALTER COLUMN "model" DROP DEFAULT, ALTER COLUMN "model" SET NOT NULL;
ALTER TABLE "Message" ALTER COLUMN "role" SET DEFAULT 'ASSISTANT', ALTER COLUMN "role" SET NOT NULL;

-- Foreign keys: early states kept a task from being deleted as long as it had messages.
ALTER TABLE "Session"
  DROP CONSTRAINT IF EXISTS "Session_userId_fkey",
  ADD CONSTRAINT "Session_userId_fkey" FOREIGN KEY ("userId") REFERENCES "User" ("id") ON DELETE CASCADE ON UPDATE CASCADE;
ALTER TABLE "Account"
  DROP CONSTRAINT IF EXISTS "Account_userId_fkey",
  ADD CONSTRAINT "Account_userId_fkey" FOREIGN KEY ("userId") REFERENCES "User" ("id") ON DELETE CASCADE ON UPDATE CASCADE;
ALTER TABLE "Task"
  DROP CONSTRAINT IF EXISTS "Task_userId_fkey",
  ADD CONSTRAINT "Task_userId_fkey" FOREIGN KEY ("userId") REFERENCES "User" ("id") ON DELETE SET NULL ON UPDATE CASCADE;
ALTER TABLE "Summary"
  DROP CONSTRAINT IF EXISTS "Summary_taskId_fkey",
  DROP CONSTRAINT IF EXISTS "Summary_parentId_fkey",
  ADD CONSTRAINT "Summary_taskId_fkey" FOREIGN KEY ("taskId") REFERENCES "Task" ("id") ON DELETE CASCADE ON UPDATE CASCADE,
  ADD CONSTRAINT "Summary_parentId_fkey" FOREIGN KEY ("parentId") REFERENCES "Summary" ("id") ON DELETE SET NULL ON UPDATE CASCADE;
ALTER TABLE "Message"
  DROP CONSTRAINT IF EXISTS "Message_taskId_fkey",
  DROP CONSTRAINT IF EXISTS "Message_summaryId_fkey",
  DROP CONSTRAINT IF EXISTS "Message_userId_fkey",
  ADD CONSTRAINT "Message_taskId_fkey" FOREIGN KEY ("taskId") REFERENCES "Task" ("id") ON DELETE CASCADE ON UPDATE CASCADE,
  ADD CONSTRAINT "Message_summaryId_fkey" FOREIGN KEY ("summaryId") REFERENCES "Summary" ("id") ON DELETE SET NULL ON UPDATE CASCADE,
  ADD CONSTRAINT "Message_userId_fkey" FOREIGN KEY ("userId") REFERENCES "User" ("id") ON DELETE SET NULL ON UPDATE CASCADE;
ALTER TABLE "File"
  DROP CONSTRAINT IF EXISTS "File_taskId_fkey",
  ADD CONSTRAINT "File_taskId_fkey" FOREIGN KEY ("taskId") REFERENCES "Task" ("id") ON DELETE CASCADE ON UPDATE CASCADE;
