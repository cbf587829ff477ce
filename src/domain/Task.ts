import { Schema } from "effect"
import { TaskFile } from "./TaskFile.ts"

/** Identifier of a task: opaque text, a UUID v4 when we made it. */
export const TaskId = Schema.String.pipe(Schema.brand("TaskId"))
export type TaskId = typeof TaskId.Type

export const TaskType = Schema.Literals(["IMMEDIATE", "SCHEDULED"])
export type TaskType = typeof TaskType.Type

export const TaskStatus = Schema.Literals([
  "PENDING",
  "RUNNING",
  "NEEDS_HELP",
  "NEEDS_REVIEW",
  "COMPLETED",
  "CANCELLED",
  "FAILED"
])
export type TaskStatus = typeof TaskStatus.Type

export const TaskPriority = Schema.Literals(["LOW", "MEDIUM", "HIGH", "URGENT"])
export type TaskPriority = typeof TaskPriority.Type

/** How much a model thinks about each step of a task. */
export const Effort = Schema.Literals(["low", "medium", "high"])
export type Effort = typeof Effort.Type

/** Who acts: the person, or the agent. */
export const Role = Schema.Literals(["USER", "ASSISTANT"])
export type Role = typeof Role.Type

/** Statuses of a task that is over, unless a user resumes it. */
export const finishedStatuses: ReadonlyArray<TaskStatus> = ["COMPLETED", "FAILED", "CANCELLED"]

/** A UTC instant, ISO 8601 with milliseconds and `Z` on the wire. */
export const Instant = Schema.DateTimeUtcFromString

/**
 * A task as REST and Socket.IO show it; the order of the keys is part of the contract (docs/contract/rest.md, "Task object").
 * `model` and `result` are stored JSON, passed on as they are: older writers left other shapes there.
 */
export const Task = Schema.Struct({
  id: TaskId,
  description: Schema.String,
  type: TaskType,
  status: TaskStatus,
  priority: TaskPriority,
  control: Role,
  createdAt: Instant,
  createdBy: Role,
  scheduledFor: Schema.NullOr(Instant),
  updatedAt: Instant,
  executedAt: Schema.NullOr(Instant),
  completedAt: Schema.NullOr(Instant),
  queuedAt: Schema.NullOr(Instant),
  error: Schema.NullOr(Schema.String),
  result: Schema.Json,
  model: Schema.Json,
  /** Name of the desktop that the task asks for (ours); shown where one task is asked about. */
  desktop: Schema.optionalKey(Schema.String),
  /** What the task asks for (ours); shown where one task is asked about. */
  effort: Schema.optionalKey(Effort)
})
export interface Task extends Schema.Schema.Type<typeof Task> {}

/** A task together with its files, oldest file first. */
export const TaskWithFiles = Schema.Struct({ ...Task.fields, files: Schema.Array(TaskFile) })
export interface TaskWithFiles extends Schema.Schema.Type<typeof TaskWithFiles> {}

/** Which model a new task shall run on; title and context window (tokens) are for display and summaries. */
export const TaskModel = Schema.Struct({
  provider: Schema.NonEmptyString,
  name: Schema.NonEmptyString,
  title: Schema.optionalKey(Schema.String),
  contextWindow: Schema.optionalKey(Schema.Finite)
})
export interface TaskModel extends Schema.Schema.Type<typeof TaskModel> {}
