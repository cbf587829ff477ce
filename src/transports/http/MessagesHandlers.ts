import { Effect } from "effect"
import { HttpServerResponse } from "effect/http"
import { HttpApiBuilder } from "effect/http-api"
import { Api } from "../../api/Api.ts"
import { NewMessagePayload } from "../../api/MessagesApi.ts"
import type { TaskId } from "../../domain/Task.ts"
import { Attachments } from "../../messages/Attachments.ts"
import {
  isRead,
  listWriter,
  type MessageRow,
  type PageWriter,
  pageTag,
  processedWriter
} from "../../messages/MessagePage.ts"
import { Messages } from "../../messages/Messages.ts"
import { currentShare } from "./InFlight.ts"
import { payloadOf } from "./Payload.ts"
import { piecewise } from "./Piecewise.ts"

const newMessagePayload = payloadOf(NewMessagePayload)

/** Handlers of `MessagesApi`. */
export const MessagesHandlers = HttpApiBuilder.group(
  Api,
  "messages",
  Effect.fn(function* (handlers) {
    const messages = yield* Messages
    const attachments = yield* Attachments
    const page = Effect.fnUntraced(function* (
      request: {
        readonly params: { readonly id: TaskId }
        readonly query: { readonly page?: number | undefined; readonly limit?: number | undefined }
      },
      writer: PageWriter<MessageRow>
    ) {
      const share = yield* currentShare
      const { limit = 10, page = 1 } = request.query
      const rows = yield* messages.rows({ taskId: request.params.id, page, limit }, share.nextPiece())
      const contentType = "application/json"
      if (rows.every(isRead)) {
        const bytes = Buffer.from(writer.add(rows) + writer.end())
        share.answer.set(bytes.length)
        return HttpServerResponse.uint8Array(bytes, { contentType })
      }
      const read = rows.filter(isRead)
      const unread = rows.slice(read.length)
      const bytes = yield* piecewise(share, { writer, read, unread, rowsOf: messages.rowsOf })
      return HttpServerResponse.stream(share.watched(bytes), { contentType, headers: { etag: pageTag(rows) } })
    })
    return handlers
      .handleRaw("add", ({ params }) =>
        Effect.gen(function* () {
          const { message } = yield* newMessagePayload
          const { holdText } = yield* currentShare
          return yield* messages.addUserMessage(params.id, message, holdText)
        })
      )
      .handle("summaries", ({ params }) => attachments.summaries(params.id))
      .handle("list", (request) => page(request, listWriter(request.query.images)))
      .handle("raw", (request) => page(request, listWriter(request.query.images)))
      .handle("processed", (request) => page(request, processedWriter(request.query.images)))
  })
)
