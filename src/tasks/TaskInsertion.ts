import { randomUUID } from "node:crypto"
import { Array as Arr, DateTime, Effect, Option } from "effect"
import type { SqlClient } from "effect/sql"
import { gathered } from "../database/Gathered.ts"
import { type Fields, recordStatement } from "../database/RecordStatement.ts"
import { taskJson } from "../database/WireJson.ts"
import type { Effort, Role, TaskId, TaskModel, TaskPriority, TaskType } from "../domain/Task.ts"
import { desktopFileNames } from "../domain/TaskFile.ts"
import { type TaskRow, taskColumns } from "./TaskRow.ts"

/** What a client, or the agent, says of a task to be created; absent fields get the schema's defaults. */
export interface NewTask {
  /** Absent: a new one. A task that has the id already is not created again. */
  readonly id?: TaskId
  readonly description: string
  readonly type?: TaskType | undefined
  readonly scheduledFor?: DateTime.Utc | undefined
  readonly priority?: TaskPriority | undefined
  readonly createdBy?: Role | undefined
  /** Absent: the catalog's default model. */
  readonly model?: TaskModel | undefined
  /** Absent: that of its parent, or as the settings say. */
  readonly effort?: Effort | undefined
  /** Name of the desktop to run on; absent: any. */
  readonly desktop?: string | undefined
  /** The task whose agent creates this one: it goes to the desktop that its parent asks for, too. */
  readonly parent?: TaskId | undefined
  /** `data` is base64, without a data URL's prefix; `size` in bytes as stated by the client. */
  readonly files?:
    | ReadonlyArray<{ readonly name: string; readonly type: string; readonly size: number; readonly data: string }>
    | undefined
}

/** All that is stored of a new task. */
export interface TaskInsertion extends NewTask {
  readonly id: TaskId
  readonly messageId: string
  readonly model: TaskModel
  readonly at: Date
  /** Whose it is; null: whose parent is, if any. */
  readonly userId: string | null
  readonly traceparent: string | null
}

/** Inserts a task with all that belongs to it, those that come together in one statement; none if there is one with the id already. */
export const makeInsertTask = (sql: SqlClient.SqlClient) => {
  const insertRecords = insertion(sql)
  return gathered(
    (tasks: Arr.NonEmptyReadonlyArray<TaskInsertion>) =>
      Effect.map(insertRecords(Arr.map(tasks, recordOf)), (rows) => {
        const stored = new Map(rows.map((row) => [row.id, row]))
        return Arr.map(tasks, ({ id }) => Option.fromUndefinedOr(stored.get(id)))
      }),
    ({ description, files = [] }) => files.length > 0 || description.length > 100_000
  )
}

const recordOf = (task: TaskInsertion) => ({
  id: task.id,
  description: task.description,
  type: task.type ?? "IMMEDIATE",
  priority: task.priority ?? "MEDIUM",
  createdBy: task.createdBy ?? "USER",
  scheduledFor: task.scheduledFor === undefined ? null : DateTime.formatIso(task.scheduledFor),
  model: task.model,
  at: task.at.toISOString(),
  userId: task.userId,
  parent: task.parent ?? null,
  messageId: task.messageId,
  content: [{ type: "text", text: firstMessage(task) }],
  desktop: task.desktop ?? null,
  effort: task.effort ?? null,
  traceparent: task.traceparent,
  files: (task.files ?? []).map((file) => ({ id: randomUUID(), ...file }))
})

const fields: Fields<ReturnType<typeof recordOf>> = {
  id: "text",
  description: "text",
  type: `"TaskType"`,
  priority: `"TaskPriority"`,
  createdBy: `"Role"`,
  scheduledFor: "timestamp(3)",
  model: "jsonb",
  at: "timestamp(3)",
  userId: "text",
  parent: "text",
  messageId: "text",
  content: "jsonb",
  desktop: "text",
  effort: "text",
  traceparent: "text",
  files: "json"
}

/**
 * The first USER message: the description, a space, and a line for each file (docs/contract/rest.md, POST /tasks). A line names the file as it was sent, and
 * where that does not tell its name on the desktop, this one too.
 */
const firstMessage = ({ description, files = [] }: NewTask): string => {
  if (files.length === 0) return `${description} `
  const onDesktop = desktopFileNames(files.map(({ name }) => name))
  const lines = files.map(({ name }, index) =>
    name.split("/").at(-1) === onDesktop[index]
      ? `File ${name} written to desktop.`
      : `File ${name} written to desktop as ${onDesktop[index]}.`
  )
  return `${description} \n\n${lines.join("\n")}`
}

const insertion = recordStatement<ReturnType<typeof recordOf>, TaskRow>(
  fields,
  (records) => `
  WITH new AS (${records}), task AS (
    INSERT INTO "Task" ("id", "description", "type", "priority", "createdBy", "scheduledFor", "model", "createdAt", "updatedAt", "userId", "effort")
    SELECT n."id", n."description", n."type", n."priority", n."createdBy", n."scheduledFor", n."model", n."at", n."at",
      coalesce(n."userId", (SELECT p."userId" FROM "Task" p WHERE p."id" = n."parent")),
      coalesce(n."effort", (SELECT p."effort" FROM "Task" p WHERE p."id" = n."parent")) FROM new n
    ON CONFLICT ("id") DO NOTHING RETURNING *
  ), stored AS (
    SELECT n.* FROM new n WHERE n."id" IN (SELECT task."id" FROM task)
  ), files AS (
    INSERT INTO "File" ("id", "name", "type", "size", "data", "createdAt", "updatedAt", "taskId")
    SELECT f."id", f."name", f."type", f."size", f."data", n."at", n."at", n."id"
    FROM stored n, json_to_recordset(n."files") AS f("id" text, "name" text, "type" text, "size" int, "data" text)
  ), message AS (
    INSERT INTO "Message" ("id", "content", "role", "createdAt", "updatedAt", "taskId", "userId")
    SELECT n."messageId", n."content", 'USER', n."at", n."at", n."id", n."userId" FROM stored n
  ), wanted AS (
    INSERT INTO "TaskDesktop" ("taskId", "desktop") SELECT w."id", w."desktop" FROM (
      SELECT n."id", coalesce(n."desktop", (SELECT p."desktop" FROM "TaskDesktop" p WHERE p."taskId" = n."parent")) AS "desktop" FROM stored n
    ) w WHERE w."desktop" IS NOT NULL
  ), trace AS (
    INSERT INTO "TaskTrace" ("taskId", "traceparent") SELECT n."id", n."traceparent" FROM stored n WHERE n."traceparent" IS NOT NULL
  ), event AS (
    INSERT INTO "TaskEvent" ("taskId", "kind", "payload", "createdAt")
    SELECT task."id", 'task_created', ${taskJson("task")}, task."createdAt" FROM task
  )
  SELECT ${taskColumns("task")} FROM task`
)
