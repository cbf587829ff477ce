import { Effect, Option, Schema } from "effect"
import { HttpServerRequest } from "effect/http"
import { HttpApiBuilder } from "effect/http-api"
import { Api } from "../../api/Api.ts"
import { NewTaskPayload } from "../../api/NewTaskPayload.ts"
import { type QueryText, queryChoice, TaskCursorText } from "../../api/RequestFields.ts"
import { TaskPatchPayload } from "../../api/TasksApi.ts"
import { type Task, TaskStatus } from "../../domain/Task.ts"
import type { InvalidRequest } from "../../domain/TaskErrors.ts"
import { Tasks } from "../../tasks/Tasks.ts"
import { Usage } from "../../tasks/Usage.ts"
import { newTaskOf } from "../NewTaskOf.ts"
import { InFlight, shareOf } from "./InFlight.ts"
import { invalidInput } from "./InvalidInput.ts"
import { payloadOf } from "./Payload.ts"
import { jsonResponse, taskPageText, taskText, taskWithFilesText } from "./TaskText.ts"

const newTaskPayload = payloadOf(NewTaskPayload)
const taskPatch = payloadOf(TaskPatchPayload)

const encodeCursor = Schema.encodeSync(TaskCursorText)
const decodeStatus = Schema.decodeUnknownEffect(Schema.Struct({ status: queryChoice(TaskStatus) }))

/** The statuses to list, none meaning all: `statuses` wins, and `status` is not even read then (docs/contract/rest.md). */
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
    const inFlight = yield* InFlight
    const single = (task: Task) => jsonResponse(taskText(task))
    return handlers
      .handleRaw("create", () =>
        Effect.flatMap(newTaskPayload, (payload) =>
          Effect.map(tasks.create(newTaskOf(payload)), (task) => jsonResponse(taskText(task), 201))
        )
      )
      .handleRaw("list", ({ query }) => {
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
          const cursor = Option.getOrNull(Option.map(next, encodeCursor))
          return jsonResponse(taskPageText(after === undefined ? answer : { ...answer, next: cursor }))
        })
      })
      .handleRaw("inProgress", () =>
        Effect.map(tasks.inProgress, Option.match({ onNone: () => jsonResponse("null"), onSome: single }))
      )
      .handleRaw("update", ({ params }) =>
        Effect.flatMap(taskPatch, (patch) => Effect.map(tasks.update(params.id, patch), single))
      )
      .handleRaw("get", ({ params }) =>
        Effect.gen(function* () {
          const { holdText } = shareOf(inFlight, yield* HttpServerRequest.HttpServerRequest)
          return jsonResponse(taskWithFilesText(yield* tasks.getReserving(params.id, holdText)))
        })
      )
      .handle("usage", ({ params }) => usage.ofTask(params.id))
      .handle("remove", ({ params }) => tasks.remove(params.id))
      .handleRaw("takeover", ({ params }) => Effect.map(tasks.takeover(params.id), single))
      .handleRaw("resume", ({ params }) => Effect.map(tasks.resume(params.id), single))
      .handleRaw("cancel", ({ params }) => Effect.map(tasks.cancel(params.id), single))
  })
)
