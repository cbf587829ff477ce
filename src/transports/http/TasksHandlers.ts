import { Effect, Option, Schema } from "effect"
import { HttpServerResponse } from "effect/http"
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
import { currentShare } from "./InFlight.ts"
import { invalidInput } from "./InvalidInput.ts"
import { payloadOf } from "./Payload.ts"
import { piecewise } from "./Piecewise.ts"
import { taskPageWriter } from "./TaskPageWriter.ts"

const newTaskPayload = payloadOf(NewTaskPayload)
const taskPatch = payloadOf(TaskPatchPayload)

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
    return handlers
      .handleRaw("create", () => Effect.flatMap(newTaskPayload, (payload) => tasks.create(newTaskOf(payload))))
      .handle("list", ({ query }) => {
        const { after, createdBy, limit = 10, page = 1, priority, q, type } = query
        const from = after === undefined ? { page } : { after: Option.getOrNull(after) }
        return Effect.gen(function* () {
          const statuses = yield* wantedStatuses(query)
          const share = yield* currentShare
          const { tasks: read, ...list } = yield* tasks.list({
            ...{ limit, from, statuses, text: q, createdBy, room: share.nextPiece() },
            priorities: priority,
            types: type
          })
          const { next, total, unread } = list
          const totalPages = limit === 0 ? null : Math.ceil(total / limit)
          const page = { total, totalPages, ...(after === undefined ? {} : { next: Option.getOrNull(next) }) }
          if (unread.length === 0) return { tasks: read, ...page }
          const writer = taskPageWriter(page)
          const bytes = yield* piecewise(share, { writer, read, unread, rowsOf: tasks.withIds })
          return HttpServerResponse.stream(share.watched(bytes), { contentType: "application/json" })
        })
      })
      .handle("inProgress", () => Effect.map(tasks.inProgress, Option.getOrNull))
      .handleRaw("update", ({ params }) => Effect.flatMap(taskPatch, (patch) => tasks.update(params.id, patch)))
      .handle("get", ({ params }) =>
        Effect.gen(function* () {
          const { holdText } = yield* currentShare
          return yield* tasks.getReserving(params.id, holdText)
        })
      )
      .handle("usage", ({ params }) => usage.ofTask(params.id))
      .handle("remove", ({ params }) => tasks.remove(params.id))
      .handle("takeover", ({ params }) => tasks.takeover(params.id))
      .handle("resume", ({ params }) => tasks.resume(params.id))
      .handle("cancel", ({ params }) => tasks.cancel(params.id))
  })
)
