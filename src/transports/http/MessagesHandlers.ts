import { Effect, Stream } from "effect"
import { HttpServerResponse } from "effect/http"
import { HttpApiBuilder } from "effect/http-api"
import { Api } from "../../api/Api.ts"
import { NewMessagePayload } from "../../api/MessagesApi.ts"
import type { TaskId } from "../../domain/Task.ts"
import { Attachments } from "../../messages/Attachments.ts"
import { type JsonPage, listPage, processedPage, type ShownImages } from "../../messages/MessagePage.ts"
import { Messages } from "../../messages/Messages.ts"
import { payloadOf } from "./Payload.ts"
import { jsonResponse, taskWithFilesText } from "./TaskText.ts"

const newMessagePayload = payloadOf(NewMessagePayload)

/** Bytes from which on a page is sent as it is, in chunks, and not copied once more. */
const largePage = 1024 * 1024

const respond = ({ chunks, etag, length }: JsonPage) => {
  const options = { contentType: "application/json", headers: { etag } }
  return length < largePage
    ? HttpServerResponse.uint8Array(Buffer.concat(chunks, length), options)
    : HttpServerResponse.stream(Stream.fromArrays(...chunks.map((chunk) => [chunk] as const)), {
        ...options,
        contentLength: length
      })
}

/** Handlers of `MessagesApi`. */
export const MessagesHandlers = HttpApiBuilder.group(
  Api,
  "messages",
  Effect.fn(function* (handlers) {
    const messages = yield* Messages
    const attachments = yield* Attachments
    const page = (request: {
      readonly params: { readonly id: TaskId }
      readonly query: {
        readonly page?: number | undefined
        readonly limit?: number | undefined
        readonly images?: ShownImages | undefined
      }
    }) => {
      const { limit = 10, page = 1 } = request.query
      return messages.rows({ taskId: request.params.id, page, limit })
    }
    const list = (request: Parameters<typeof page>[0]) =>
      Effect.map(page(request), (rows) => respond(listPage(rows, request.query.images)))
    return handlers
      .handleRaw("add", ({ params }) =>
        Effect.flatMap(newMessagePayload, ({ message }) =>
          Effect.map(messages.addUserMessage(params.id, message), (task) => jsonResponse(taskWithFilesText(task), 201))
        )
      )
      .handle("summaries", ({ params }) => attachments.summaries(params.id))
      .handleRaw("list", list)
      .handleRaw("raw", list)
      .handleRaw("processed", (request) =>
        Effect.map(page(request), (rows) => respond(processedPage(rows, request.query.images)))
      )
  })
)
