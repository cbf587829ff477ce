/** Columns of a table by name, each with its type as `SchemaState` describes it. */
export type Columns = Readonly<Record<string, string>>

/** Tables by name. */
export type Tables = Readonly<Record<string, Columns>>

/** A state of the original's schema: what it looks like after the migration with this name. */
export interface OriginalState {
  readonly migration: string
  readonly tables: Tables
}

const text = "text"
const instant = "timestamp(3) without time zone"
const json = "jsonb"
const role = "enum USER, ASSISTANT"
const taskType = "enum IMMEDIATE, SCHEDULED"
const priority = "enum LOW, MEDIUM, HIGH, URGENT"
const status = (running: string) => `enum PENDING, ${running}, NEEDS_HELP, NEEDS_REVIEW, COMPLETED, CANCELLED, FAILED`

const row = { id: text, createdAt: instant, updatedAt: instant }

const initialTask = { ...row, description: text, status: status("IN_PROGRESS"), priority }
const initialMessage = { ...row, content: json, taskId: text, summaryId: text }
const message = { ...initialMessage, role }
const Summary = { ...row, content: text, taskId: text, parentId: text }

const structuredTask = {
  ...initialTask,
  status: status("RUNNING"),
  type: taskType,
  createdBy: role,
  executedAt: instant,
  completedAt: instant,
  error: text,
  result: json
}
const scheduledTask = { ...structuredTask, queuedAt: instant, scheduledFor: instant }
const controlledTask = { ...scheduledTask, control: role }
const modelTask = { ...controlledTask, model: json }

const File = { ...row, name: text, type: text, size: "integer", data: text, taskId: text }

const accounts = {
  User: { ...row, name: text, email: text, emailVerified: "boolean", image: text },
  Session: { ...row, userId: text, token: text, expiresAt: instant, ipAddress: text, userAgent: text },
  Account: {
    ...row,
    userId: text,
    accountId: text,
    providerId: text,
    accessToken: text,
    refreshToken: text,
    accessTokenExpiresAt: instant,
    refreshTokenExpiresAt: instant,
    scope: text,
    idToken: text,
    password: text
  },
  Verification: { ...row, identifier: text, value: text, expiresAt: instant }
}
const owned = { userId: text }
const ownedMessage = { ...message, ...owned }

/**
 * The states of the original's schema, oldest first (docs/contract/database.md, "The original's migration history"). Names and types of columns
 * only: nullability, defaults and foreign keys are brought in line whatever they are.
 */
export const originalHistory: ReadonlyArray<OriginalState> = [
  {
    migration: "20250328022708_initial_migration",
    tables: { Task: initialTask, Message: { ...initialMessage, type: role }, Summary }
  },
  { migration: "20250413053912_message_role", tables: { Task: initialTask, Message: message, Summary } },
  { migration: "20250522200556_updated_task_structure", tables: { Task: structuredTask, Message: message, Summary } },
  { migration: "20250523162632_add_scheduling", tables: { Task: scheduledTask, Message: message, Summary } },
  { migration: "20250529003255_tasks_control", tables: { Task: controlledTask, Message: message, Summary } },
  // Changed a default only: the tables look as before.
  { migration: "20250530012753_tasks_control", tables: { Task: controlledTask, Message: message, Summary } },
  {
    migration: "20250619013027_add_better_auth_schema",
    tables: { Task: controlledTask, Message: ownedMessage, Summary, ...accounts }
  },
  {
    migration: "20250622195148_add_user_to_task",
    tables: { Task: { ...controlledTask, ...owned }, Message: ownedMessage, Summary, ...accounts }
  },
  {
    migration: "20250706223912_model_picker",
    tables: { Task: { ...modelTask, ...owned }, Message: ownedMessage, Summary, ...accounts }
  },
  {
    migration: "20250722041608_files",
    tables: { Task: { ...modelTask, ...owned }, Message: ownedMessage, Summary, File, ...accounts }
  },
  { migration: "20250820172813_remove_auth", tables: { Task: modelTask, Message: message, Summary, File } }
]
