import { Schema } from "effect"
import { HttpApiEndpoint, HttpApiGroup, HttpApiSchema } from "effect/http-api"
import { Authentication } from "./Authentication.ts"
import { DatabaseUnavailableBody, TaskNotFoundBody, TooManyOpenBody } from "./ErrorBody.ts"
import { RequestDecoding } from "./RequestDecoding.ts"
import { QueryText, TaskIdText } from "./RequestFields.ts"

const options = {
  /** For clients that can't set the header. */
  query: {
    after: Schema.optionalKey(
      QueryText.annotate({ description: "The `id` of an earlier event; 0: the oldest that is kept." })
    )
  },
  headers: { "last-event-id": Schema.optionalKey(Schema.String) },
  success: HttpApiSchema.StreamUint8Array({ contentType: "text/event-stream" }),
  error: [TaskNotFoundBody, TooManyOpenBody, DatabaseUnavailableBody]
}

/** Events as Server-Sent Events (https://html.spec.whatwg.org/multipage/server-sent-events.html), like the streams of `RpcApi`. */
export class EventsApi extends HttpApiGroup.make("events")
  .add(
    HttpApiEndpoint.get("all", "/events", options),
    HttpApiEndpoint.get("task", "/tasks/:id/events", { ...options, params: { id: TaskIdText } })
  )
  .middleware(RequestDecoding)
  .middleware(Authentication) {}
