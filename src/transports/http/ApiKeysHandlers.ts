import { Effect } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import { Api } from "../../api/Api.ts"
import { NewApiKeyPayload } from "../../api/ApiKeysApi.ts"
import { Accounts } from "../../auth/Accounts.ts"
import { Caller } from "../../domain/Caller.ts"
import { payloadOf } from "./Payload.ts"

const newApiKeyPayload = payloadOf(NewApiKeyPayload)

/** Handlers of `ApiKeysApi`. */
export const ApiKeysHandlers = HttpApiBuilder.group(
  Api,
  "apiKeys",
  Effect.fn(function* (handlers) {
    const { keys } = yield* Accounts
    return handlers
      .handleRaw("create", () =>
        Effect.flatMap(Effect.all([Caller, newApiKeyPayload]), ([caller, options]) => keys.create(caller, options))
      )
      .handle("list", () => Effect.flatMap(Caller, keys.list))
      .handle("revoke", ({ params }) => Effect.flatMap(Caller, (caller) => keys.revoke(caller, params.id)))
  })
)
