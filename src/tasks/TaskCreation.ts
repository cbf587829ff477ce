import { randomUUID } from "node:crypto"
import { Array as Arr, DateTime, Effect, Option } from "effect"
import { SqlClient } from "effect/sql"
import { Settings, type SettingsValues } from "../config/Settings.ts"
import { batched } from "../database/Batched.ts"
import { repeatable } from "../database/DatabaseRetry.ts"
import { type Fields, recordStatement } from "../database/RecordStatement.ts"
import { taskJson } from "../database/WireJson.ts"
import { Caller } from "../domain/Caller.ts"
import { type Effort, type Role, TaskId, type TaskModel, type TaskPriority, type TaskType } from "../domain/Task.ts"
import { InvalidRequest } from "../domain/TaskErrors.ts"
import { desktopFileNames } from "../domain/TaskFile.ts"
import { ModelCatalog } from "../models/ModelCatalog.ts"
import { currentTraceparent } from "../observability/TraceParent.ts"
import { Dispatch } from "./Dispatch.ts"
import { makeCheckPrices } from "./TaskPrices.ts"
import { type TaskRow, taskColumns, taskOf, wishesOf } from "./TaskRow.ts"

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

/** Creates tasks. */
export const makeCreation = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  const settings = yield* Settings
  const catalog = yield* ModelCatalog
  const dispatch = yield* Dispatch
  const insertTask = makeInsertTask(sql)
  const checkPrices = yield* makeCheckPrices

  /** Inserts the task with all that belongs to it, unless an earlier attempt has done so; answers the task. */
  const insert = Effect.fnUntraced(function* (id: TaskId, messageId: string, input: NewTask, model: TaskModel) {
    const { userId } = yield* Caller
    const at = DateTime.toDateUtc(yield* DateTime.now)
    const traceparent = Option.getOrNull(yield* currentTraceparent)
    const inserted = yield* insertTask({ ...input, id, messageId, model, at, userId, traceparent })
    const [row] = Option.isSome(inserted)
      ? [inserted.value]
      : yield* sql<TaskRow>`SELECT ${sql.literal(taskColumns("task"))} FROM "Task" task WHERE task."id" = ${id}`
    return row === undefined ? yield* Effect.die(new Error("A task that was created is gone")) : taskOf(row)
  }, repeatable)

  /** Stores the task, its files and its first message, and wakes a worker. */
  const create = Effect.fn("Tasks.create")(function* (input: NewTask) {
    const id = input.id ?? TaskId.make(randomUUID())
    yield* Effect.annotateCurrentSpan({ "task.id": id })
    const problem = problemOf(input, settings)
    if (problem !== undefined) return yield* new InvalidRequest({ message: problem })
    const model = input.model ?? (yield* catalog.default)
    yield* checkPrices(model)
    const task = yield* insert(id, randomUUID(), input, model)
    const due = task.scheduledFor
    yield* due === null || DateTime.isLessThanOrEqualTo(due, yield* DateTime.now)
      ? dispatch.wakeSoon
      : dispatch.wakeAt(due, input.desktop)
    return { ...task, ...wishesOf(input) }
  })

  return { create }
})

/** What is wrong with the task: a desktop that is not configured, or files that are too many or too large. */
const problemOf = (
  { desktop, files = [] }: NewTask,
  { desktops, maxFiles, maxFileSize }: SettingsValues
): string | undefined => {
  const names = desktops.map(({ name }) => name)
  if (desktop !== undefined && !names.includes(desktop)) {
    return `desktop: expected ${names.length === 0 ? "none, as no desktop is configured" : `one of ${names.join(", ")}`}`
  }
  if (files.length > maxFiles) return `files: expected at most ${maxFiles}`
  const large = files.findIndex(({ data }) => Buffer.byteLength(data, "base64") > maxFileSize)
  return large === -1 ? undefined : `files[${large}]: expected at most ${maxFileSize} bytes`
}

/** All that is stored of a new task. */
interface TaskInsertion extends NewTask {
  readonly id: TaskId
  readonly messageId: string
  readonly model: TaskModel
  readonly at: Date
  /** Whose it is; null: whose parent is, if any. */
  readonly userId: string | null
  readonly traceparent: string | null
}

/** Inserts tasks; those that come together share a statement. None where a task has the id already. */
const makeInsertTask = (sql: SqlClient.SqlClient) => {
  const insertRecords = insertion(sql)
  return batched(
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
