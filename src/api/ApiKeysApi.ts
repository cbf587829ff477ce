import { Schema } from "effect"
import { HttpApiEndpoint, HttpApiGroup, HttpApiSchema } from "effect/http-api"
import { ApiKey, NewApiKey } from "../domain/ApiKey.ts"
import { Authentication } from "./Authentication.ts"
import { AccountsOffBody, ApiKeyNotFoundBody, DatabaseUnavailableBody, ForbiddenBody } from "./ErrorBody.ts"
import { RequestDecoding } from "./RequestDecoding.ts"
import { blankAsAbsent, InstantText, NonEmptyText } from "./RequestFields.ts"

/** Body of `POST /api-keys`; without `expiresAt` the key is valid until it is revoked. */
export const NewApiKeyPayload = Schema.Struct({
  name: NonEmptyText,
  expiresAt: Schema.optionalKey(blankAsAbsent(InstantText, "an ISO 8601 date with time and zone"))
})

/** The caller's keys for machines, while accounts are on. */
export class ApiKeysApi extends HttpApiGroup.make("apiKeys")
  .add(
    HttpApiEndpoint.post("create", "/api-keys", {
      payload: NewApiKeyPayload,
      success: NewApiKey.pipe(HttpApiSchema.status(201)),
      error: [AccountsOffBody, ForbiddenBody, DatabaseUnavailableBody]
    }),
    HttpApiEndpoint.get("list", "/api-keys", {
      success: Schema.Array(ApiKey),
      error: [AccountsOffBody, DatabaseUnavailableBody]
    }),
    HttpApiEndpoint.delete("revoke", "/api-keys/:id", {
      params: { id: Schema.String },
      success: HttpApiSchema.NoContent,
      error: [AccountsOffBody, ApiKeyNotFoundBody, DatabaseUnavailableBody]
    })
  )
  .middleware(RequestDecoding)
  .middleware(Authentication) {}
