import { Effect, Schedule, Stream } from "effect"
import { HttpServerRequest, HttpServerResponse } from "effect/http"
import { HttpApiBuilder } from "effect/http-api"
import { Api } from "../../api/Api.ts"
import type { QueryText } from "../../api/RequestFields.ts"
import { Settings } from "../../config/Settings.ts"
import type { TaskId } from "../../domain/Task.ts"
import { EventFeed, type FeedItem, payloadText } from "../../events/EventFeed.ts"
import { AddressConnections } from "../AddressConnections.ts"
import { clientAddress, limitKey } from "../ClientAddress.ts"

/** How often a comment is sent, so that no proxy takes the connection for dead. */
const heartbeat = "15 seconds"

/** Milliseconds after which a client that was cut off reconnects. */
const retryAfter = 1_000

const block = (item: FeedItem): string => {
  switch (item._tag) {
    case "Event":
      return `id: ${item.position}\nevent: ${item.event.kind}\ndata: ${payloadText(item.event)}\n\n`
    case "Delta":
      return `id: ${item.position}\nevent: message_delta\ndata: ${JSON.stringify(item.delta)}\n\n`
    case "Gap":
      return `id: ${item.position}\nevent: gap\ndata: null\n\n`
  }
}

interface Request {
  readonly params?: { readonly id: TaskId }
  readonly headers: { readonly "last-event-id"?: string }
  readonly query: { readonly after?: typeof QueryText.Type }
}

/** Handlers of `EventsApi`: events from now on, or after a position. `gap` says that some are not kept any more: read the task again. */
export const EventsHandlers = HttpApiBuilder.group(
  Api,
  "events",
  Effect.fn(function* (handlers) {
    const feed = yield* EventFeed
    const { open } = yield* AddressConnections
    const { proxies } = yield* Settings
    const stream = Effect.fnUntraced(function* ({ headers, params, query }: Request) {
      const request = yield* HttpServerRequest.HttpServerRequest
      yield* open(limitKey(clientAddress(proxies, request.remoteAddress, request.headers["x-forwarded-for"])))
      const after = headers["last-event-id"] ?? query.after?.toString()
      const blocks = (yield* feed.watch({ taskId: params?.id, after })).pipe(
        Stream.map(block),
        // The client reconnects at its last position, after an error too.
        Stream.catch((error) => Stream.succeed(`: ${error.message}\n\n`))
      )
      const beats = Stream.fromSchedule(Schedule.spaced(heartbeat)).pipe(Stream.map(() => ": still here\n\n"))
      const text = Stream.concat(
        Stream.succeed(`retry: ${retryAfter}\n\n`),
        Stream.merge(blocks, beats, { haltStrategy: "left" })
      )
      return HttpServerResponse.stream(Stream.encodeText(text), {
        contentType: "text/event-stream; charset=utf-8",
        headers: { "cache-control": "no-store", "x-accel-buffering": "no" }
      })
    })
    return handlers.handle("all", stream).handle("task", stream)
  })
)
