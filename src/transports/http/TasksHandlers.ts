import { Effect, Option, Schema } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import { Api } from "../../api/Api.ts"
import { NewTaskPayload } from "../../api/NewTaskPayload.ts"
import { type QueryText, queryChoice } from "../../api/RequestFields.ts"
import { TaskPatchPayload } from "../../api/TasksApi.ts"
import { TaskStatus } from "../../domain/Task.ts"
import type { InvalidRequest } from "../../domain/TaskErrors.ts"
import { Tasks } from "../../tasks/Tasks.ts"
import { Usage } from "../../tasks/Usage.ts"
import { newTaskOf } from "../NewTaskOf.ts"
import { invalidInput } from "./InvalidInput.ts"
import { payloadOf } from "./Payload.ts"

const newTaskPayload = payloadOf(NewTaskPayload)
const taskPatch = payloadOf(TaskPatchPayload)

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
      .handleRaw("create", () => Effect.flatMap(newTaskPayload, (payload) => tasks.create(newTaskOf(payload))))
      .handle("list", ({ query }) => {
        const { after, createdBy, limit = 10, page = 1, priority, q, type } = query
        const from = after === undefined ? { page } : { after: Option.getOrNull(after) }
        return Effect.gen(function* () {
          const statuses = yield* wantedStatuses(query)
          const { next, ...list } = yield* tasks.list({
            ...{ limit, from, statuses, text: q, createdBy },
            priorities: priority,
            types: type
          })
          const answer = { ...list, totalPages: limit === 0 ? null : Math.ceil(list.total / limit) }
          return after === undefined ? answer : { ...answer, next: Option.getOrNull(next) }
        })
      })
      .handle("inProgress", () => Effect.map(tasks.inProgress, Option.getOrNull))
      .handleRaw("update", ({ params }) => Effect.flatMap(taskPatch, (patch) => tasks.update(params.id, patch)))
      .handle("get", ({ params }) => tasks.get(params.id))
      .handle("usage", ({ params }) => usage.ofTask(params.id))
      .handle("remove", ({ params }) => tasks.remove(params.id))
      .handle("takeover", ({ params }) => tasks.takeover(params.id))
      .handle("resume", ({ params }) => tasks.resume(params.id))
      .handle("cancel", ({ params }) => tasks.cancel(params.id))
  })
)
