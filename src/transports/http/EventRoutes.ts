import { Effect, Layer, Schedule, Schema, Stream } from "effect"
import { HttpRouter, HttpServerRequest, HttpServerResponse } from "effect/http"
import { TaskIdText } from "../../api/RequestFields.ts"
import { Settings } from "../../config/Settings.ts"
import { Caller } from "../../domain/Caller.ts"
import { EventFeed, type FeedItem, payloadText } from "../../events/EventFeed.ts"
import { AddressConnections } from "../AddressConnections.ts"
import { clientAddress, limitKey } from "../ClientAddress.ts"
import { identified } from "./Authenticate.ts"
import { BothRoots } from "./BothRoots.ts"
import { decodedParams } from "./DecodeRequest.ts"
import { answered } from "./FailureResponse.ts"
import { invalidInput } from "./InvalidInput.ts"

/** How often something is sent, so that nobody between takes the connection for dead. */
const heartbeat = "15 seconds"

/** Milliseconds after which a client that was cut off comes back. */
const comeBackAfter = 1_000

/** One item as the standard has it (https://html.spec.whatwg.org/multipage/server-sent-events.html). */
const block = (item: FeedItem): string =>
  item._tag === "Event"
    ? `id: ${item.position}\nevent: ${item.event.kind}\ndata: ${payloadText(item.event)}\n\n`
    : `id: ${item.position}\nevent: gap\ndata: null\n\n`

const decodeParams = Schema.decodeUnknownEffect(Schema.Struct({ id: Schema.optionalKey(TaskIdText) }))

/**
 * Events of one task, or of all that are the caller's. From now on, or from where the client was (`Last-Event-ID`, or `after` for those
 * who can't set headers). `gap` says that some of what was missed is not kept any more: read the task again.
 */
const stream = answered(
  Effect.gen(function* () {
    const feed = yield* EventFeed
    const caller = yield* identified
    const request = yield* HttpServerRequest.HttpServerRequest
    const { proxies } = yield* Settings
    const { open } = yield* AddressConnections
    yield* open(limitKey(clientAddress(proxies, request.remoteAddress, request.headers["x-forwarded-for"])))
    const { params } = yield* HttpRouter.RouteContext
    const { id: taskId } = yield* Effect.flatMap(decodedParams(params), decodeParams).pipe(
      Effect.catchTag("SchemaError", ({ issue }) => Effect.fail(invalidInput(issue)))
    )
    const query = new URL(request.url, "http://localhost").searchParams.get("after")
    const after = request.headers["last-event-id"] ?? query ?? undefined
    const items = yield* Effect.provideService(feed.watch({ taskId, after }), Caller, caller)
    const blocks = items.pipe(
      Stream.map(block),
      // What ends it is said by its end: the client comes back to where it was.
      Stream.catch((error) => Stream.succeed(`: ${error.message}\n\n`))
    )
    const beats = Stream.fromSchedule(Schedule.spaced(heartbeat)).pipe(Stream.map(() => ": still here\n\n"))
    const text = Stream.concat(
      Stream.succeed(`retry: ${comeBackAfter}\n\n`),
      Stream.merge(blocks, beats, { haltStrategy: "left" })
    )
    return HttpServerResponse.stream(Stream.encodeText(text), {
      contentType: "text/event-stream; charset=utf-8",
      headers: { "cache-control": "no-store", "x-accel-buffering": "no" }
    })
  })
)

/** Server-Sent Events, the twins of the RPC streams. */
export const EventRoutes = HttpRouter.addAll([
  HttpRouter.route("GET", "/events", stream),
  HttpRouter.route("GET", "/tasks/:id/events", stream)
]).pipe(Layer.provide(BothRoots))
