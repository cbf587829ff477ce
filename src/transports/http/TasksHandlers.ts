import { Effect } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import { Api } from "../../api/Api.ts"
import { NewTaskPayload } from "../../api/NewTaskPayload.ts"
import { Tasks } from "../../tasks/Tasks.ts"
import { payloadOf } from "./Payload.ts"

const newTaskPayload = payloadOf(NewTaskPayload)

/** Handlers of `TasksApi`. */
export const TasksHandlers = HttpApiBuilder.group(
  Api,
  "tasks",
  Effect.fn(function* (handlers) {
    const tasks = yield* Tasks
    return handlers
      .handleRaw("create", () =>
        Effect.flatMap(newTaskPayload, ({ files, ...task }) =>
          tasks.create({
            ...task,
            files: files?.map(({ base64, name, size, type = "application/octet-stream" }) => ({
              name,
              type,
              size,
              data: base64
            }))
          })
        )
      )
      .handle("list", ({ query: { limit = 10, page = 1, status, statuses } }) =>
        tasks.list({ page, limit, statuses: statuses ?? (status === undefined ? [] : [status]) }).pipe(
          Effect.map(({ tasks, total }) => ({
            tasks,
            total,
            totalPages: limit === 0 ? null : Math.ceil(total / limit)
          }))
        )
      )
      .handle("get", ({ params }) => tasks.get(params.id))
      .handle("remove", ({ params }) => tasks.remove(params.id))
      .handle("takeover", ({ params }) => tasks.takeover(params.id))
      .handle("resume", ({ params }) => tasks.resume(params.id))
      .handle("cancel", ({ params }) => tasks.cancel(params.id))
  })
)
