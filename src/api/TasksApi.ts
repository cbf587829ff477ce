import { Schema } from "effect"
import { HttpApiEndpoint, HttpApiGroup, HttpApiSchema } from "effect/http-api"
import { TaskUsage } from "../domain/ModelCall.ts"
import { Effort, Role, Task, TaskPriority, TaskStatus, TaskType, TaskWithFiles } from "../domain/Task.ts"
import { Authentication } from "./Authentication.ts"
import {
  DatabaseUnavailableBody,
  DesktopHeldBody,
  ModelsUnavailableBody,
  NoModelConfiguredBody,
  TaskAlreadyFinishedBody,
  TaskNotFoundBody,
  TaskNotUnderAgentControlBody,
  TaskNotUnderUserControlBody
} from "./ErrorBody.ts"
import { NewTaskPayload } from "./NewTaskPayload.ts"
import { RequestDecoding } from "./RequestDecoding.ts"
import {
  choiceOf,
  expecting,
  InstantText,
  pageQuery,
  QueryText,
  queryCursor,
  queryList,
  queryText,
  TaskCursorText,
  TaskIdText
} from "./RequestFields.ts"

/** One page of tasks, newest first; `total` counts all that match, `totalPages` is null for pages of no items. */
export const TaskPage = Schema.Struct({
  tasks: Schema.Array(Task),
  total: Schema.Int,
  totalPages: Schema.NullOr(Schema.Int),
  /** Of pages by cursor (ours): where the next one begins, null after the oldest task. */
  next: Schema.optionalKey(Schema.NullOr(TaskCursorText))
})

/** Body of `PATCH /tasks/:id`; null clears an instant. */
export const TaskPatchPayload = Schema.Struct({
  status: Schema.optionalKey(choiceOf(TaskStatus)),
  priority: Schema.optionalKey(choiceOf(TaskPriority)),
  /** From the next call of the model on; null: as the settings say (ours). */
  effort: Schema.optionalKey(Schema.NullOr(Effort.annotate(expecting("low, medium, high or null")))),
  queuedAt: Schema.optionalKey(Schema.NullOr(InstantText)),
  executedAt: Schema.optionalKey(Schema.NullOr(InstantText)),
  completedAt: Schema.optionalKey(Schema.NullOr(InstantText))
})

const params = { id: TaskIdText }

/** Tasks: create, find, steer and delete them (docs/contract/rest.md, "Endpoints of the original"). */
export class TasksApi extends HttpApiGroup.make("tasks")
  .add(
    HttpApiEndpoint.post("create", "/tasks", {
      payload: NewTaskPayload,
      success: Task.pipe(HttpApiSchema.status(201)),
      error: [NoModelConfiguredBody, ModelsUnavailableBody, DatabaseUnavailableBody]
    }),
    HttpApiEndpoint.get("list", "/tasks", {
      query: {
        ...pageQuery,
        statuses: Schema.optionalKey(queryList(TaskStatus)),
        /** Decoded by `queryChoice`, and only without `statuses`. */
        status: Schema.optionalKey(QueryText),
        priority: Schema.optionalKey(queryList(TaskPriority)),
        type: Schema.optionalKey(queryList(TaskType)),
        createdBy: Schema.optionalKey(queryList(Role)),
        /** Full-text search: each word is a prefix of a word of the description (ours). */
        q: Schema.optionalKey(queryText(1000)),
        /** A page by cursor instead of by number (ours). */
        after: Schema.optionalKey(queryCursor)
      },
      success: TaskPage,
      error: DatabaseUnavailableBody
    }),
    HttpApiEndpoint.get("inProgress", "/tasks/in-progress", {
      success: Schema.NullOr(Task),
      error: DatabaseUnavailableBody
    }),
    HttpApiEndpoint.patch("update", "/tasks/:id", {
      params,
      payload: TaskPatchPayload,
      success: Task,
      error: [TaskNotFoundBody, DatabaseUnavailableBody]
    }),
    HttpApiEndpoint.get("get", "/tasks/:id", {
      params,
      success: TaskWithFiles,
      error: [TaskNotFoundBody, DatabaseUnavailableBody]
    }),
    HttpApiEndpoint.get("usage", "/tasks/:id/usage", {
      params,
      success: TaskUsage,
      error: [TaskNotFoundBody, DatabaseUnavailableBody]
    }),
    HttpApiEndpoint.delete("remove", "/tasks/:id", {
      params,
      success: HttpApiSchema.NoContent,
      error: [TaskNotFoundBody, DatabaseUnavailableBody]
    }),
    HttpApiEndpoint.post("takeover", "/tasks/:id/takeover", {
      params,
      success: Task,
      error: [TaskNotFoundBody, TaskNotUnderAgentControlBody, DesktopHeldBody, DatabaseUnavailableBody]
    }),
    HttpApiEndpoint.post("resume", "/tasks/:id/resume", {
      params,
      success: Task,
      error: [TaskNotFoundBody, TaskNotUnderUserControlBody, DatabaseUnavailableBody]
    }),
    HttpApiEndpoint.post("cancel", "/tasks/:id/cancel", {
      params,
      success: Task,
      error: [TaskNotFoundBody, TaskAlreadyFinishedBody, DatabaseUnavailableBody]
    })
  )
  .middleware(RequestDecoding)
  .middleware(Authentication) {}
