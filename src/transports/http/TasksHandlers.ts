import { Effect, Option, Schema } from "effect"
import { HttpServerRequest, HttpServerResponse } from "effect/http"
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
import { piecewise } from "./Piecewise.ts"
import { jsonResponse, taskPageWriter, taskText, taskWithFilesText } from "./TaskText.ts"

const newTaskPayload = payloadOf(NewTaskPayload)
const taskPatch = payloadOf(TaskPatchPayload)

const encode = (text: string): Uint8Array => Buffer.from(text)

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
          const share = shareOf(inFlight, yield* HttpServerRequest.HttpServerRequest)
          const {
            next,
            tasks: read,
            total,
            unread
          } = yield* tasks.list({
            ...{ limit, from, statuses, text: q, createdBy, room: share.nextPiece() },
            priorities: priority,
            types: type
          })
          const totalPages = limit === 0 ? null : Math.ceil(total / limit)
          const cursor = after === undefined ? undefined : Option.getOrNull(Option.map(next, encodeCursor))
          const writer = taskPageWriter({ total, totalPages, next: cursor })
          const begun = read.length > 0 ? writer.add(read) : []
          if (unread.length === 0) return jsonResponse([...begun, ...writer.end()].join(""))
          const chunks = yield* piecewise(share, {
            begun: begun.map(encode),
            rest: unread,
            read: (ids) => Effect.map(tasks.withIds(ids), (found) => writer.add(found).map(encode)),
            end: () => writer.end().map(encode)
          })
          return HttpServerResponse.stream(share.watched(chunks), { contentType: "application/json" })
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
