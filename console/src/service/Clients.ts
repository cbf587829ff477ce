import { Context, Effect, Layer, ManagedRuntime } from "effect"
import { makeRestClient, makeRpcClient } from "../../../src/client/BytebotClient.ts"

/** Address of the service without a trailing slash; it may be mounted below a path. The page's base is its `console/`. */
export const serviceUrl = new URL("..", document.baseURI).href.replace(/\/$/, "")

/** An address of the service, from one that the API names (`/messages/…`). */
export const addressOf = (path: string): string => `${serviceUrl}${path}`

const make = Effect.gen(function* () {
  const url = serviceUrl
  return { rest: yield* makeRestClient({ url }), rpc: yield* makeRpcClient({ url }) }
})

/** The service's typed clients. Both use the session's cookie. */
export class Clients extends Context.Service<Clients, Effect.Success<typeof make>>()("console/Clients") {
  static readonly layer = Layer.effect(Clients, make)
}

export const runtime = ManagedRuntime.make(Clients.layer)
