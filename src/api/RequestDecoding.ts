import { Context } from "effect"
import { HttpApiMiddleware } from "effect/http-api"
import { InvalidRequestBody, RequestTooLargeBody, ServiceBusyBody, UnsupportedBodyBody } from "./ErrorBody.ts"

/**
 * The request's body: the object that a JSON or urlencoded body stands for. No body, an empty one, or one of another
 * content type counts as an empty object, as in the original.
 */
export class RequestBody extends Context.Service<RequestBody, { readonly [field: string]: unknown }>()(
  "bytebot/api/RequestBody"
) {}

/** Before each handler: decodes path parameters and body, and turns decoding errors into `InvalidRequest`. */
export class RequestDecoding extends HttpApiMiddleware.Service<RequestDecoding, { provides: RequestBody }>()(
  "bytebot/api/RequestDecoding",
  { error: [InvalidRequestBody, RequestTooLargeBody, ServiceBusyBody, UnsupportedBodyBody] }
) {}
