import { createHash, randomUUID } from "node:crypto"
import { Effect } from "effect"
import { SqlClient } from "effect/sql"

/**
 * The original's schema history, rebuilt from docs/contract/database.md: what each of its migrations did, as Prisma would have run it. The names of
 * the two types that Message had for its role before `Role` are not in the contract; any will do.
 */
export const history: ReadonlyArray<{ readonly name: string; readonly statements: ReadonlyArray<string> }> = [
  {
    name: "20250328022708_initial_migration",
    statements: [
      `CREATE TYPE "TaskStatus" AS ENUM ('PENDING', 'IN_PROGRESS', 'NEEDS_HELP', 'NEEDS_REVIEW', 'COMPLETED', 'CANCELLED', 'FAILED')`,
      `CREATE TYPE "TaskPriority" AS ENUM ('LOW', 'MEDIUM', 'HIGH', 'URGENT')`,
      `CREATE TYPE "MessageType" AS ENUM ('USER', 'ASSISTANT')`,
      `CREATE TABLE "Task" (
        "id" TEXT NOT NULL, "description" TEXT NOT NULL, "status" "TaskStatus" NOT NULL DEFAULT 'PENDING',
        "priority" "TaskPriority" NOT NULL DEFAULT 'MEDIUM', "createdAt" TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
        "updatedAt" TIMESTAMP(3) NOT NULL, CONSTRAINT "Task_pkey" PRIMARY KEY ("id"))`,
      `CREATE TABLE "Summary" (
        "id" TEXT NOT NULL, "content" TEXT NOT NULL, "createdAt" TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
        "updatedAt" TIMESTAMP(3) NOT NULL, "taskId" TEXT NOT NULL, "parentId" TEXT, CONSTRAINT "Summary_pkey" PRIMARY KEY ("id"))`,
      `CREATE TABLE "Message" (
        "id" TEXT NOT NULL, "content" JSONB NOT NULL, "type" "MessageType" NOT NULL DEFAULT 'ASSISTANT',
        "createdAt" TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP, "updatedAt" TIMESTAMP(3) NOT NULL,
        "taskId" TEXT NOT NULL, "summaryId" TEXT, CONSTRAINT "Message_pkey" PRIMARY KEY ("id"))`,
      `ALTER TABLE "Summary" ADD CONSTRAINT "Summary_taskId_fkey" FOREIGN KEY ("taskId") REFERENCES "Task"("id") ON DELETE RESTRICT ON UPDATE CASCADE`,
      `ALTER TABLE "Summary" ADD CONSTRAINT "Summary_parentId_fkey" FOREIGN KEY ("parentId") REFERENCES "Summary"("id") ON DELETE SET NULL ON UPDATE CASCADE`,
      `ALTER TABLE "Message" ADD CONSTRAINT "Message_taskId_fkey" FOREIGN KEY ("taskId") REFERENCES "Task"("id") ON DELETE RESTRICT ON UPDATE CASCADE`,
      `ALTER TABLE "Message" ADD CONSTRAINT "Message_summaryId_fkey" FOREIGN KEY ("summaryId") REFERENCES "Summary"("id") ON DELETE SET NULL ON UPDATE CASCADE`
    ]
  },
  {
    name: "20250413053912_message_role",
    statements: [
      `CREATE TYPE "MessageRole" AS ENUM ('USER', 'ASSISTANT')`,
      `ALTER TABLE "Message" ADD COLUMN "role" "MessageRole" NOT NULL DEFAULT 'ASSISTANT'`,
      `UPDATE "Message" SET "role" = "type"::text::"MessageRole"`,
      `ALTER TABLE "Message" DROP COLUMN "type"`,
      `DROP TYPE "MessageType"`
    ]
  },
  {
    name: "20250522200556_updated_task_structure",
    statements: [
      `CREATE TYPE "Role" AS ENUM ('USER', 'ASSISTANT')`,
      `CREATE TYPE "TaskType" AS ENUM ('IMMEDIATE', 'SCHEDULED')`,
      `CREATE TYPE "TaskStatus_new" AS ENUM ('PENDING', 'RUNNING', 'NEEDS_HELP', 'NEEDS_REVIEW', 'COMPLETED', 'CANCELLED', 'FAILED')`,
      `ALTER TABLE "Task" ALTER COLUMN "status" DROP DEFAULT`,
      `ALTER TABLE "Task" ALTER COLUMN "status" TYPE "TaskStatus_new" USING (replace("status"::text, 'IN_PROGRESS', 'RUNNING')::"TaskStatus_new")`,
      `ALTER TYPE "TaskStatus" RENAME TO "TaskStatus_old"`,
      `ALTER TYPE "TaskStatus_new" RENAME TO "TaskStatus"`,
      `DROP TYPE "TaskStatus_old"`,
      `ALTER TABLE "Task" ALTER COLUMN "status" SET DEFAULT 'PENDING'`,
      `ALTER TABLE "Message" ALTER COLUMN "role" DROP DEFAULT`,
      `ALTER TABLE "Message" ALTER COLUMN "role" TYPE "Role" USING ("role"::text::"Role")`,
      `ALTER TABLE "Message" ALTER COLUMN "role" SET DEFAULT 'ASSISTANT'`,
      `DROP TYPE "MessageRole"`,
      `ALTER TABLE "Task" ADD COLUMN "completedAt" TIMESTAMP(3), ADD COLUMN "createdBy" "Role" NOT NULL DEFAULT 'USER', ADD COLUMN "error" TEXT,
        ADD COLUMN "executedAt" TIMESTAMP(3), ADD COLUMN "result" JSONB, ADD COLUMN "type" "TaskType" NOT NULL DEFAULT 'IMMEDIATE'`,
      `ALTER TABLE "Message" DROP CONSTRAINT "Message_taskId_fkey"`,
      `ALTER TABLE "Summary" DROP CONSTRAINT "Summary_taskId_fkey"`,
      `ALTER TABLE "Summary" ADD CONSTRAINT "Summary_taskId_fkey" FOREIGN KEY ("taskId") REFERENCES "Task"("id") ON DELETE CASCADE ON UPDATE CASCADE`,
      `ALTER TABLE "Message" ADD CONSTRAINT "Message_taskId_fkey" FOREIGN KEY ("taskId") REFERENCES "Task"("id") ON DELETE CASCADE ON UPDATE CASCADE`
    ]
  },
  {
    name: "20250523162632_add_scheduling",
    statements: [`ALTER TABLE "Task" ADD COLUMN "queuedAt" TIMESTAMP(3), ADD COLUMN "scheduledFor" TIMESTAMP(3)`]
  },
  {
    name: "20250529003255_tasks_control",
    statements: [`ALTER TABLE "Task" ADD COLUMN "control" "Role" NOT NULL DEFAULT 'USER'`]
  },
  {
    name: "20250530012753_tasks_control",
    statements: [`ALTER TABLE "Task" ALTER COLUMN "control" SET DEFAULT 'ASSISTANT'`]
  },
  {
    name: "20250619013027_add_better_auth_schema",
    statements: [
      `CREATE TABLE "User" (
        "id" TEXT NOT NULL, "name" TEXT, "email" TEXT NOT NULL, "emailVerified" BOOLEAN NOT NULL DEFAULT false, "image" TEXT,
        "createdAt" TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP, "updatedAt" TIMESTAMP(3) NOT NULL, CONSTRAINT "User_pkey" PRIMARY KEY ("id"))`,
      `CREATE TABLE "Session" (
        "id" TEXT NOT NULL, "userId" TEXT NOT NULL, "token" TEXT NOT NULL, "expiresAt" TIMESTAMP(3) NOT NULL, "ipAddress" TEXT, "userAgent" TEXT,
        "createdAt" TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP, "updatedAt" TIMESTAMP(3) NOT NULL, CONSTRAINT "Session_pkey" PRIMARY KEY ("id"))`,
      `CREATE TABLE "Account" (
        "id" TEXT NOT NULL, "userId" TEXT NOT NULL, "accountId" TEXT NOT NULL, "providerId" TEXT NOT NULL, "accessToken" TEXT, "refreshToken" TEXT,
        "accessTokenExpiresAt" TIMESTAMP(3), "refreshTokenExpiresAt" TIMESTAMP(3), "scope" TEXT, "idToken" TEXT, "password" TEXT,
        "createdAt" TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP, "updatedAt" TIMESTAMP(3) NOT NULL, CONSTRAINT "Account_pkey" PRIMARY KEY ("id"))`,
      `CREATE TABLE "Verification" (
        "id" TEXT NOT NULL, "identifier" TEXT NOT NULL, "value" TEXT NOT NULL, "expiresAt" TIMESTAMP(3) NOT NULL,
        "createdAt" TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP, "updatedAt" TIMESTAMP(3) NOT NULL, CONSTRAINT "Verification_pkey" PRIMARY KEY ("id"))`,
      `CREATE UNIQUE INDEX "User_email_key" ON "User"("email")`,
      `CREATE UNIQUE INDEX "Session_token_key" ON "Session"("token")`,
      `CREATE UNIQUE INDEX "Account_providerId_accountId_key" ON "Account"("providerId", "accountId")`,
      `CREATE UNIQUE INDEX "Verification_identifier_value_key" ON "Verification"("identifier", "value")`,
      `ALTER TABLE "Message" ADD COLUMN "userId" TEXT`,
      `ALTER TABLE "Message" ADD CONSTRAINT "Message_userId_fkey" FOREIGN KEY ("userId") REFERENCES "User"("id") ON DELETE SET NULL ON UPDATE CASCADE`,
      `ALTER TABLE "Session" ADD CONSTRAINT "Session_userId_fkey" FOREIGN KEY ("userId") REFERENCES "User"("id") ON DELETE CASCADE ON UPDATE CASCADE`,
      `ALTER TABLE "Account" ADD CONSTRAINT "Account_userId_fkey" FOREIGN KEY ("userId") REFERENCES "User"("id") ON DELETE CASCADE ON UPDATE CASCADE`
    ]
  },
  {
    name: "20250622195148_add_user_to_task",
    statements: [
      `ALTER TABLE "Task" ADD COLUMN "userId" TEXT`,
      `ALTER TABLE "Task" ADD CONSTRAINT "Task_userId_fkey" FOREIGN KEY ("userId") REFERENCES "User"("id") ON DELETE SET NULL ON UPDATE CASCADE`
    ]
  },
  {
    name: "20250706223912_model_picker",
    statements: [
      `ALTER TABLE "Task" ADD COLUMN "model" JSONB`,
      `UPDATE "Task" SET "model" = jsonb_build_object('provider', 'anthropic', 'name', 'claude-opus-4-20250514', 'title', 'Claude Opus 4')`,
      `ALTER TABLE "Task" ALTER COLUMN "model" SET NOT NULL`
    ]
  },
  {
    name: "20250722041608_files",
    statements: [
      `CREATE TABLE "File" (
        "id" TEXT NOT NULL, "name" TEXT NOT NULL, "type" TEXT NOT NULL, "size" INTEGER NOT NULL, "data" TEXT NOT NULL,
        "createdAt" TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP, "updatedAt" TIMESTAMP(3) NOT NULL, "taskId" TEXT NOT NULL,
        CONSTRAINT "File_pkey" PRIMARY KEY ("id"))`,
      `ALTER TABLE "File" ADD CONSTRAINT "File_taskId_fkey" FOREIGN KEY ("taskId") REFERENCES "Task"("id") ON DELETE CASCADE ON UPDATE CASCADE`
    ]
  },
  {
    name: "20250820172813_remove_auth",
    statements: [
      `ALTER TABLE "Task" DROP CONSTRAINT "Task_userId_fkey"`,
      `ALTER TABLE "Message" DROP CONSTRAINT "Message_userId_fkey"`,
      `ALTER TABLE "Task" DROP COLUMN "userId"`,
      `ALTER TABLE "Message" DROP COLUMN "userId"`,
      `DROP TABLE "Session"`,
      `DROP TABLE "Account"`,
      `DROP TABLE "Verification"`,
      `DROP TABLE "User"`
    ]
  }
]

export const migrationNames = history.map(({ name }) => name)

/** Runs statements that are all of the test's own making. */
export const run = Effect.fnUntraced(function* (statements: ReadonlyArray<string>) {
  const sql = yield* SqlClient.SqlClient
  for (const statement of statements) yield* sql.unsafe(statement)
})

const createLedger = `CREATE TABLE "_prisma_migrations" (
  "id" VARCHAR(36) PRIMARY KEY NOT NULL, "checksum" VARCHAR(64) NOT NULL, "finished_at" TIMESTAMPTZ, "migration_name" VARCHAR(255) NOT NULL,
  "logs" TEXT, "rolled_back_at" TIMESTAMPTZ, "started_at" TIMESTAMPTZ NOT NULL DEFAULT now(), "applied_steps_count" INTEGER NOT NULL DEFAULT 0)`

/** An entry of the original's ledger; `finished: false` is how Prisma leaves a migration that failed. */
export const ledgerEntry = Effect.fnUntraced(function* (name: string, finished: boolean) {
  const sql = yield* SqlClient.SqlClient
  const checksum = createHash("sha256").update(name).digest("hex")
  yield* sql`
    INSERT INTO "_prisma_migrations" ("id", "checksum", "finished_at", "migration_name", "logs", "applied_steps_count")
    VALUES (${randomUUID()}, ${checksum}, CASE WHEN ${finished} THEN now() END, ${name}, ${finished ? null : "Database error"}, ${finished ? 1 : 0})`
})

/** Brings an empty database to the state after the first `states` migrations, with rows from the first state on, and the ledger. */
export const buildState = Effect.fnUntraced(function* (states: number) {
  yield* run([createLedger])
  for (const [index, { name, statements }] of history.slice(0, states).entries()) {
    yield* run(statements)
    yield* ledgerEntry(name, true)
    if (index === 0) yield* run(firstRows)
  }
  if (states > 0) yield* run(rowsOf(states))
})

const firstRows = [
  `INSERT INTO "Task" ("id", "description", "status", "priority", "createdAt", "updatedAt") VALUES
    ('old-1', 'done long ago', 'COMPLETED', 'LOW', '2025-04-01 10:00:00.001', '2025-04-01 11:00:00.002'),
    ('old-2', 'in the middle', 'IN_PROGRESS', 'URGENT', '2025-04-01 10:00:00.001', '2025-04-02 00:00:00')`,
  `INSERT INTO "Summary" ("id", "content", "createdAt", "updatedAt", "taskId", "parentId") VALUES
    ('summary-1', 'it began', '2025-04-01 10:30:00', '2025-04-01 10:30:00', 'old-1', NULL),
    ('summary-2', 'it went on', '2025-04-01 10:40:00', '2025-04-01 10:40:00', 'old-1', 'summary-1')`,
  `INSERT INTO "Message" ("id", "content", "type", "createdAt", "updatedAt", "taskId", "summaryId") VALUES
    ('message-3', '[{"type": "text", "text": "grüße ☃"}]', 'USER', '2025-04-01 10:02:00', '2025-04-01 10:02:00', 'old-1', NULL),
    ('message-1', '[{"type": "text", "text": "go"}]', 'USER', '2025-04-01 10:00:00', '2025-04-01 10:00:00', 'old-1', 'summary-1'),
    ('message-2', '{"type": "text", "text": "no array"}', 'ASSISTANT', '2025-04-01 10:01:00', '2025-04-01 10:01:00', 'old-1', 'summary-1')`
]

/** Rows that use what the state with this number has. */
const rowsOf = (state: number): ReadonlyArray<string> => [
  state >= 9
    ? `INSERT INTO "Task" ("id", "description", "updatedAt", "model") VALUES ('new', 'defaults', '2025-09-01', '{"provider": "x", "name": "y"}')`
    : `INSERT INTO "Task" ("id", "description", "updatedAt") VALUES ('new', 'defaults', '2025-09-01')`,
  ...(state >= 4
    ? [
        `UPDATE "Task" SET "type" = 'SCHEDULED', "createdBy" = 'ASSISTANT', "scheduledFor" = '2025-08-01', "queuedAt" = '2025-08-02',
          "executedAt" = '2025-08-03', "completedAt" = '2025-08-04', "error" = 'oh', "result" = '{"b": 1, "a": [null]}' WHERE "id" = 'old-1'`
      ]
    : []),
  ...(state >= 7 && state <= 10
    ? [
        `INSERT INTO "User" ("id", "name", "email", "emailVerified", "updatedAt") VALUES ('user', 'U', 'u@example.org', true, '2025-08-01')`,
        `INSERT INTO "Session" ("id", "userId", "token", "expiresAt", "updatedAt") VALUES ('session', 'user', 't', '2025-08-02', '2025-08-01')`,
        `INSERT INTO "Account" ("id", "userId", "accountId", "providerId", "password", "updatedAt") VALUES ('account', 'user', 'user', 'credential', 'h', '2025-08-01')`,
        `INSERT INTO "Verification" ("id", "identifier", "value", "expiresAt", "updatedAt") VALUES ('verification', 'i', 'v', '2025-08-02', '2025-08-01')`,
        `UPDATE "Message" SET "userId" = 'user' WHERE "id" = 'message-1'`
      ]
    : []),
  ...(state >= 8 && state <= 10 ? [`UPDATE "Task" SET "userId" = 'user' WHERE "id" = 'old-1'`] : []),
  ...(state >= 10
    ? [
        `INSERT INTO "File" ("id", "name", "type", "size", "data", "updatedAt", "taskId") VALUES ('file', 'a.txt', 'text/plain', 2, 'aGk=', '2025-08-01', 'old-1')`
      ]
    : [])
]
