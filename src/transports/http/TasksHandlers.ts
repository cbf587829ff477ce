import { Effect, Schema } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import { Api } from "../../api/Api.ts"
import { NewTaskPayload } from "../../api/NewTaskPayload.ts"
import { type QueryText, queryChoice } from "../../api/RequestFields.ts"
import { TaskStatus } from "../../domain/Task.ts"
import type { InvalidRequest } from "../../domain/TaskErrors.ts"
import { Tasks } from "../../tasks/Tasks.ts"
import { Usage } from "../../tasks/Usage.ts"
import { invalidInput } from "./InvalidInput.ts"
import { payloadOf } from "./Payload.ts"

const newTaskPayload = payloadOf(NewTaskPayload)

const decodeStatus = Schema.decodeUnknownEffect(Schema.Struct({ status: queryChoice(TaskStatus) }))

/** The statuses to list, none meaning all: `statuses` wins, and `status` is not even read then (rest.md). */
const wantedStatuses = (query: {
  readonly statuses?: ReadonlyArray<TaskStatus> | undefined
  readonly status?: typeof QueryText.Type
}): Effect.Effect<ReadonlyArray<TaskStatus>, InvalidRequest> =>
  query.statuses === undefined
    ? decodeStatus({ status: query.status ?? "" }).pipe(
        Effect.map(({ status }) => (status === undefined ? [] : [status])),
        Effect.mapError(({ issue }) => invalidInput(issue))
      )
    : Effect.succeed(query.statuses)

/** Handlers of `TasksApi`. */
export const TasksHandlers = HttpApiBuilder.group(
  Api,
  "tasks",
  Effect.fn(function* (handlers) {
    const tasks = yield* Tasks
    const usage = yield* Usage
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
      .handle("list", ({ query: { limit = 10, page = 1, ...query } }) =>
        wantedStatuses(query).pipe(
          Effect.flatMap((statuses) => tasks.list({ page, limit, statuses })),
          Effect.map(({ tasks, total }) => ({
            tasks,
            total,
            totalPages: limit === 0 ? null : Math.ceil(total / limit)
          }))
        )
      )
      .handle("get", ({ params }) => tasks.get(params.id))
      .handle("usage", ({ params }) => usage.ofTask(params.id))
      .handle("remove", ({ params }) => tasks.remove(params.id))
      .handle("takeover", ({ params }) => tasks.takeover(params.id))
      .handle("resume", ({ params }) => tasks.resume(params.id))
      .handle("cancel", ({ params }) => tasks.cancel(params.id))
  })
)
