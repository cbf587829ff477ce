import { Schema } from "effect"
import { HttpApiEndpoint, HttpApiGroup, HttpApiSchema } from "effect/http-api"
import { TaskUsage } from "../domain/ModelCall.ts"
import { Task, TaskStatus, TaskWithFiles } from "../domain/Task.ts"
import {
  DatabaseUnavailableBody,
  ModelsUnavailableBody,
  NoModelConfiguredBody,
  TaskAlreadyFinishedBody,
  TaskNotFoundBody,
  TaskNotUnderAgentControlBody,
  TaskNotUnderUserControlBody
} from "./ErrorBody.ts"
import { NewTaskPayload } from "./NewTaskPayload.ts"
import { RequestDecoding } from "./RequestDecoding.ts"
import { pageQuery, QueryText, queryList, TaskIdText } from "./RequestFields.ts"

/** One page of tasks, newest first; `total` counts all that match, `totalPages` is null for pages of no items. */
export const TaskPage = Schema.Struct({
  tasks: Schema.Array(Task),
  total: Schema.Int,
  totalPages: Schema.NullOr(Schema.Int)
})

const params = { id: TaskIdText }

/** Tasks: create, find, steer and delete them (rest.md, "Endpoints of the original"). */
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
        /** One status by `queryChoice`; not even read where there are `statuses`. */
        status: Schema.optionalKey(QueryText)
      },
      success: TaskPage,
      error: DatabaseUnavailableBody
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
      error: [TaskNotFoundBody, TaskNotUnderAgentControlBody, DatabaseUnavailableBody]
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
  .middleware(RequestDecoding) {}
