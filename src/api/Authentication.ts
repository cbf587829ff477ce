import { HttpApiMiddleware } from "effect/http-api"
import type { Caller } from "../domain/Caller.ts"
import { DatabaseUnavailableBody, ForbiddenBody, TooManyRequestsBody, UnauthorizedBody } from "./ErrorBody.ts"

/**
 * Who asks: by session cookie, bearer token or API key (`Authorization: Bearer …`, or `x-api-key`). Everybody, while accounts are off. To
 * be added last, so that it comes first: nothing of a request is read before.
 */
export class Authentication extends HttpApiMiddleware.Service<Authentication, { provides: Caller }>()(
  "bytebot/api/Authentication",
  { error: [UnauthorizedBody, ForbiddenBody, TooManyRequestsBody, DatabaseUnavailableBody] }
) {}
