-- Accounts: who is an administrator, keys for machines, whose an event is, and word to open connections that a login is over.

ALTER TABLE "User" ADD COLUMN "role" TEXT;

CREATE TABLE "ApiKey" (
  "id" TEXT NOT NULL,
  "userId" TEXT NOT NULL,
  "name" TEXT NOT NULL,
  "start" TEXT NOT NULL,
  "hash" TEXT NOT NULL,
  "createdAt" TIMESTAMP(3) NOT NULL,
  "expiresAt" TIMESTAMP(3),
  "lastUsedAt" TIMESTAMP(3),
  CONSTRAINT "ApiKey_pkey" PRIMARY KEY ("id"),
  CONSTRAINT "ApiKey_userId_fkey" FOREIGN KEY ("userId") REFERENCES "User" ("id") ON DELETE CASCADE ON UPDATE CASCADE
);
CREATE UNIQUE INDEX "ApiKey_hash_key" ON "ApiKey" ("hash");
CREATE INDEX "ApiKey_userId_createdAt_idx" ON "ApiKey" ("userId", "createdAt");

-- A user's own tasks, newest first; it also serves the foreign key.
CREATE INDEX "Task_userId_createdAt_position_idx" ON "Task" ("userId", "createdAt" DESC, "position" DESC);
DROP INDEX "Task_userId_idx";

-- For the events of tasks that are gone; those of others are their task's owner's.
ALTER TABLE "TaskEvent" ADD COLUMN "userId" TEXT;

CREATE FUNCTION "notifyLoginEnded"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_notify('bytebot_logins', OLD."id");
  RETURN NULL;
END
$$;
CREATE TRIGGER "Session_notifyEnded" AFTER DELETE ON "Session" FOR EACH ROW EXECUTE FUNCTION "notifyLoginEnded"();
CREATE TRIGGER "ApiKey_notifyEnded" AFTER DELETE ON "ApiKey" FOR EACH ROW EXECUTE FUNCTION "notifyLoginEnded"();
