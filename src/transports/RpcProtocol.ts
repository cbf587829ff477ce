import * as NodeHttpServerRequest from "@effect/platform-node/NodeHttpServerRequest"
import { Deferred, Effect, Layer } from "effect"
import { HttpRouter, HttpServer, HttpServerRequest, HttpServerResponse } from "effect/http"
import { RpcServer } from "effect/rpc"
import { type Socket, SocketServer } from "effect/socket"
import { Accounts } from "../auth/Accounts.ts"
import { Settings } from "../config/Settings.ts"
import { RequestLimits } from "../limits/RequestLimits.ts"
import { AddressConnections } from "./AddressConnections.ts"
import { clientAddress, limitKey } from "./ClientAddress.ts"
import { answered } from "./http/FailureResponse.ts"
import { CurrentConnection, RpcConnections } from "./RpcConnection.ts"

const credentials = ["authorization", "cookie", "x-api-key"]

/** Effect RPC over WebSockets at `/rpc`, each counted and bounded (`RpcConnections`). */
export const layer = Layer.effect(
  RpcServer.Protocol,
  Effect.gen(function* () {
    const router = yield* HttpRouter.HttpRouter
    const addresses = yield* AddressConnections
    const accounts = yield* Accounts
    const connections = yield* RpcConnections
    const limits = yield* RequestLimits
    const { proxies } = yield* Settings
    const { address } = yield* HttpServer.HttpServer
    const serve = yield* Deferred.make<(socket: Socket.Socket) => Effect.Effect<void>>()

    const open = answered(
      Effect.gen(function* () {
        const request = yield* HttpServerRequest.HttpServerRequest
        const { headers, remoteAddress } = request
        const key = limitKey(clientAddress(proxies, remoteAddress, headers["x-forwarded-for"]))
        yield* addresses.open(key)
        const raw = NodeHttpServerRequest.toIncomingMessage(request).socket
        const upgraded = yield* Effect.orDie(request.upgrade)
        const { connection, socket } = connections.guard({ raw, socket: upgraded, headers, address: key })
        // Where there are no credentials in the handshake, the caller is unknown until the first call with a token.
        if (credentials.some((name) => name in headers)) {
          yield* accounts.identify({ headers, mayChange: true }).pipe(
            Effect.tap(() => Effect.sync(connection.identified)),
            Effect.catch(() => limits.countRequest(key))
          )
        } else if (!accounts.areOn) connection.identified()
        const onSocket = yield* Deferred.await(serve)
        yield* Effect.provideService(onSocket(socket), CurrentConnection, connection)
        return HttpServerResponse.empty()
      })
    )
    yield* router.add("GET", "/rpc", open)

    return yield* Effect.provideService(RpcServer.makeProtocolSocketServer, SocketServer.SocketServer, {
      address,
      run: <R, E, _>(handler: (socket: Socket.Socket) => Effect.Effect<_, E, R>) =>
        Effect.flatMap(Effect.context<R>(), (context) =>
          Effect.andThen(
            Deferred.succeed(serve, (socket) =>
              Effect.asVoid(Effect.orDie(Effect.provideContext(handler(socket), context)))
            ),
            Effect.never
          )
        )
    })
  })
)
