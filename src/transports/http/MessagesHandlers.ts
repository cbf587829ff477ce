import { Effect, Option, Stream } from "effect"
import { HttpServerRequest, HttpServerResponse } from "effect/http"
import { HttpApiBuilder } from "effect/http-api"
import { Api } from "../../api/Api.ts"
import { NewMessagePayload } from "../../api/MessagesApi.ts"
import type { ServiceBusy } from "../../domain/LimitErrors.ts"
import type { TaskId } from "../../domain/Task.ts"
import type { DatabaseUnavailable } from "../../domain/TaskErrors.ts"
import { Attachments } from "../../messages/Attachments.ts"
import {
  isRead,
  listWriter,
  type MessageRow,
  type PageWriter,
  pageTag,
  processedWriter,
  wholePage
} from "../../messages/MessagePage.ts"
import { Messages } from "../../messages/Messages.ts"
import { type currentShare, InFlight, shareOf } from "./InFlight.ts"
import { payloadOf } from "./Payload.ts"
import { jsonResponse, taskWithFilesText } from "./TaskText.ts"

const newMessagePayload = payloadOf(NewMessagePayload)

/** Bytes from which on a page is sent as it is, in chunks, and not copied once more. */
const largePage = 1024 * 1024

type Share = Effect.Success<typeof currentShare>

/** A page whose contents do not all fit: the rest of them is read as the client takes it. */
const piecewise = Effect.fnUntraced(function* (
  rows: ReadonlyArray<MessageRow>,
  writer: PageWriter,
  share: Share,
  read: Messages["Service"]["rowsOf"]
) {
  const begun = rows.filter(isRead)
  const rest = rows.slice(begun.length).map(({ id, size }) => ({ id, size }))
  /** The chunks of the messages from this one on that fit in a piece, but of one at least. */
  const batch = Effect.fnUntraced(function* (from: number, hasBegun: boolean) {
    const room = share.nextPiece()
    let size = 0
    const ids: Array<string> = []
    for (const next of rest.slice(from)) {
      if (ids.length > 0 && size + next.size > room) break
      size += next.size
      ids.push(next.id)
    }
    if (size > room) yield* share.hold(size, hasBegun)
    const chunks = yield* share.inTurn(Effect.map(read(ids), writer.add))
    share.answer.set(size)
    return { chunks, at: from + ids.length }
  })
  // Nothing must keep it once it is sent.
  let first = begun.length > 0 ? { chunks: writer.add(begun), at: 0 } : yield* batch(0, false)
  return Stream.paginate<number, Uint8Array, ServiceBusy | DatabaseUnavailable>(first.at, (from) =>
    Effect.gen(function* () {
      const { at, chunks } = first.chunks.length > 0 ? first : yield* batch(from, true)
      first = { chunks: [], at }
      return at < rest.length ? [chunks, Option.some(at)] : [[...chunks, ...writer.end()], Option.none()]
    })
  )
})

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
        const chunks = yield* piecewise(rows, writer, share, messages.rowsOf)
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
          const task = yield* messages.addUserMessage(params.id, message, (bytes) => holdText(bytes, true))
          return jsonResponse(taskWithFilesText(task), 201)
        })
      )
      .handle("summaries", ({ params }) => attachments.summaries(params.id))
      .handleRaw("list", (request) => page(request, listWriter(request.query.images)))
      .handleRaw("raw", (request) => page(request, listWriter(request.query.images)))
      .handleRaw("processed", (request) => page(request, processedWriter(request.query.images)))
  })
)
