import { Effect, Stream } from "effect"
import { HttpServerRequest, HttpServerResponse } from "effect/http"
import { HttpApiBuilder } from "effect/http-api"
import { Api } from "../../api/Api.ts"
import { NewMessagePayload } from "../../api/MessagesApi.ts"
import type { TaskId } from "../../domain/Task.ts"
import { Attachments } from "../../messages/Attachments.ts"
import { isRead, listWriter, type PageWriter, pageTag, processedWriter, wholePage } from "../../messages/MessagePage.ts"
import { Messages } from "../../messages/Messages.ts"
import { InFlight, shareOf } from "./InFlight.ts"
import { payloadOf } from "./Payload.ts"
import { piecewise } from "./Piecewise.ts"
import { jsonResponse, taskWithFilesText } from "./TaskText.ts"

const newMessagePayload = payloadOf(NewMessagePayload)

/** Bytes from which on a page is sent as it is, in chunks, and not copied once more. */
const largePage = 1024 * 1024

/** Handlers of `MessagesApi`. */
export const MessagesHandlers = HttpApiBuilder.group(
  Api,
  "messages",
  Effect.fn(function* (handlers) {
    const messages = yield* Messages
    const attachments = yield* Attachments
    const inFlight = yield* InFlight
    const page = Effect.fnUntraced(function* (
      request: {
        readonly params: { readonly id: TaskId }
        readonly query: { readonly page?: number | undefined; readonly limit?: number | undefined }
      },
      writer: PageWriter
    ) {
      const share = shareOf(inFlight, yield* HttpServerRequest.HttpServerRequest)
      const { limit = 10, page = 1 } = request.query
      const rows = yield* messages.rows({ taskId: request.params.id, page, limit, room: share.nextPiece() })
      const options = (etag: string) => ({ contentType: "application/json", headers: { etag } })
      if (!rows.every(isRead)) {
        const begun = rows.filter(isRead)
        const chunks = yield* piecewise(share, {
          begun: begun.length > 0 ? writer.add(begun) : [],
          rest: rows.slice(begun.length).map(({ id, size }) => ({ id, size })),
          read: (ids) => Effect.map(messages.rowsOf(ids), writer.add),
          end: writer.end
        })
        return HttpServerResponse.stream(share.watched(chunks), options(pageTag(rows)))
      }
      const { chunks, length } = wholePage(writer, rows)
      share.answer.set(length)
      return length < largePage
        ? HttpServerResponse.uint8Array(Buffer.concat(chunks, length), options(pageTag(rows, length)))
        : HttpServerResponse.stream(share.watched(Stream.fromIterable(chunks)), {
            ...options(pageTag(rows, length)),
            contentLength: length
          })
    })
    return handlers
      .handleRaw("add", ({ params }) =>
        Effect.gen(function* () {
          const { message } = yield* newMessagePayload
          const { holdText } = shareOf(inFlight, yield* HttpServerRequest.HttpServerRequest)
          const task = yield* messages.addUserMessage(params.id, message, holdText)
          return jsonResponse(taskWithFilesText(task), 201)
        })
      )
      .handle("summaries", ({ params }) => attachments.summaries(params.id))
      .handleRaw("list", (request) => page(request, listWriter(request.query.images)))
      .handleRaw("raw", (request) => page(request, listWriter(request.query.images)))
      .handleRaw("processed", (request) => page(request, processedWriter(request.query.images)))
  })
)
