import { Effect, Layer, Schema } from "effect"
import { FetchHttpClient, Headers, HttpClient, HttpClientRequest } from "effect/http"
import { HttpApiClient } from "effect/http-api"
import { RpcClient, RpcMiddleware, RpcSerialization } from "effect/rpc"
import { Socket } from "effect/socket"
import { Api } from "../api/Api.ts"
import { RpcApi, RpcAuthentication } from "../api/RpcApi.ts"

/** A service to talk to. */
export interface Connection {
  /** Such as `http://localhost:9991`, without a path. */
  readonly url: string
  /** A session's token or an API key, where accounts are on. A browser's cookie goes along by itself. */
  readonly token?: string | undefined
}

/**
 * The REST API, typed: `client.tasks.create({ payload })`. Failures are the API's tagged errors, and HttpClientError where there was no
 * answer. Works in browsers and in Node.
 */
export const makeRestClient = ({ token, url }: Connection) =>
  HttpApiClient.make(Api, {
    baseUrl: url,
    transformClient:
      token === undefined ? (client) => client : HttpClient.mapRequest(HttpClientRequest.bearerToken(token))
  }).pipe(Effect.provide(FetchHttpClient.layer))

/** The RPC client opens its socket with the runtime's own WebSocket, and there is none. */
export class WebSocketMissing extends Schema.TaggedError<WebSocketMissing>()("WebSocketMissing", {}) {
  override get message(): string {
    return (
      "makeRpcClient needs a global WebSocket, which this runtime does not have. Use Node 22 or newer, " +
      "or set globalThis.WebSocket to the WebSocket of the package ws."
    )
  }
}

/** Sends the token with every message, as a browser's WebSocket has no headers. */
const authentication = (token: string | undefined) =>
  RpcMiddleware.layerClient(RpcAuthentication, ({ next, request }) =>
    next(
      token === undefined
        ? request
        : { ...request, headers: Headers.set(request.headers, "authorization", `Bearer ${token}`) }
    )
  )

/**
 * The same operations over one WebSocket, and events as streams: `client.WatchTask({ id, after })`. The socket is opened again when it
 * breaks; a stream that broke can go on from the last `position`. Closes with the scope. Needs a global WebSocket (browsers, Node 22), fails with WebSocketMissing without one.
 * The token goes along with each call: a socket takes frames above 1 MB (a task with files) once it has answered a smaller one.
 */
export const makeRpcClient = ({ token, url }: Connection) =>
  Effect.gen(function* () {
    if (!("WebSocket" in globalThis)) return yield* new WebSocketMissing()
    const socket = Socket.layerWebSocket(`${url.replace(/^http/, "ws")}/rpc`).pipe(
      Layer.provide(Socket.layerWebSocketConstructorGlobal)
    )
    const protocol = RpcClient.layerProtocolSocket({ retryTransientErrors: true }).pipe(
      Layer.provide([socket, RpcSerialization.layerJson])
    )
    const context = yield* Layer.build(Layer.merge(protocol, authentication(token)))
    return yield* Effect.provideContext(RpcClient.make(RpcApi), context)
  })
