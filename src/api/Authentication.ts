import { HttpApiMiddleware } from "effect/http-api"
import type { Caller } from "../domain/Caller.ts"
import { DatabaseUnavailableBody, ForbiddenBody, TooManyRequestsBody, UnauthorizedBody } from "./ErrorBody.ts"

/**
 * Provides the caller: by session cookie, bearer token or API key (`Authorization: Bearer …`, or `x-api-key`). While accounts are off, all
 * callers are the same. A group adds it last, so that it runs first: no body is read before.
 */
export class Authentication extends HttpApiMiddleware.Service<Authentication, { provides: Caller }>()(
  "bytebot/api/Authentication",
  { error: [UnauthorizedBody, ForbiddenBody, TooManyRequestsBody, DatabaseUnavailableBody] }
) {}
