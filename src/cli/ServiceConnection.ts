import { Effect, Option } from "effect"
import { type Connection, makeRestClient, makeRpcClient } from "../client/BytebotClient.ts"
import type { ConnectionFlags } from "./ConnectionFlags.ts"
import { keptToken } from "./Login.ts"

const connection = Effect.fnUntraced(function* ({ token, url }: ConnectionFlags) {
  return {
    url,
    token: Option.getOrUndefined(Option.isSome(token) ? token : yield* keptToken(url))
  } satisfies Connection
})

/** Clients of the service that the flags name. */
export const restClient = (flags: ConnectionFlags) => Effect.flatMap(connection(flags), makeRestClient)
export const rpcClient = (flags: ConnectionFlags) => Effect.flatMap(connection(flags), makeRpcClient)
