import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http"
import type { Socket } from "node:net"
import type { Duplex } from "node:stream"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as NodeWS from "@effect/platform-node/NodeWS"
import { Context, Deferred, Duration, Effect, Layer, Schedule, Schema, Scope } from "effect"
import { HttpServer } from "effect/http"
import { NetAddress } from "effect/net"
import { Settings } from "../config/Settings.ts"
import { maxBodyBytes } from "./http/BodyBytes.ts"
import { malformation } from "./http/Malformation.ts"
import { refuseConnection, refuseMalformed, refuseRequest } from "./Refusals.ts"

/** The address can't be listened on; the message says what to do. */
export class ListenFailed extends Schema.TaggedError<ListenFailed>()("ListenFailed", { message: Schema.String }) {}

/** Takes requests and upgrades from the port. */
export interface PortHandler {
  readonly handleRequest: (request: IncomingMessage, response: ServerResponse) => void
  readonly handleUpgrade: (request: IncomingMessage, socket: Duplex, head: Buffer) => void
}

/** Hands the requests under `/socket.io/` to Socket.IO until the scope closes. */
export class SocketPort extends Context.Service<
  SocketPort,
  { readonly attach: (handler: PortHandler) => Effect.Effect<void, never, Scope.Scope> }
>()("bytebot/SocketPort") {}

/** Milliseconds. An idle connection lives longer than those of usual proxies (60 s), so that the proxy closes it and no request gets lost. */
const timeouts = (requestTimeout: number) => ({
  headersTimeout: Math.min(20_000, requestTimeout),
  requestTimeout,
  connectionsCheckingInterval: Math.min(5_000, requestTimeout),
  keepAliveTimeout: 65_000,
  // `malformation` checks it, with an error body.
  requireHostHeader: false,
  // Other protocols (h2c) are not spoken: such a request is answered as if it had not asked (RFC 9110, section 7.8).
  shouldUpgradeCallback: ({ headers }: IncomingMessage) => headers.upgrade?.toLowerCase() === "websocket"
})

/**
 * The one port of the service, for Effect's HttpServer and for Socket.IO: each sees its own requests and upgrades only.
 * Shutdown: the server stops accepting, running requests get most of `shutdownTimeout` to finish, the others are cut off. Layers with sockets
 * or endless responses depend on this one, so that they have closed theirs before.
 */
export const layer = Layer.merge(
  Layer.effectContext(
    Effect.gen(function* () {
      const { host, port, requestTimeout, shutdownTimeout } = yield* Settings
      const handlers: { http?: PortHandler | undefined; sockets?: PortHandler | undefined } = {}
      const choose = ({ url }: IncomingMessage) =>
        handlers[url?.startsWith("/socket.io/") === true ? "sockets" : "http"]
      const server = createServer(timeouts(Duration.toMillis(requestTimeout)))
      refuseMalformed(server)
      server.on("request", (request, response) => {
        const problem = malformation(request)
        if (problem !== undefined) return refuseRequest(response, 400, problem)
        return (choose(request) ?? notReady).handleRequest(request, response)
      })
      server.on("upgrade", (request, socket, head) => {
        // Node leaves these half open; a route without a WebSocket would go on answering a client that has left.
        socket.once("end", () => socket.end())
        const problem = malformation(request)
        if (problem !== undefined) return refuseConnection(socket, 400, problem)
        ;(choose(request) ?? notReady).handleUpgrade(request, socket, head)
      })

      const closed = yield* untilClosed(server)
      yield* listen(server, { host, port })
      const address = yield* boundAddress(server)

      const put = (place: keyof typeof handlers, handler: PortHandler) =>
        Effect.acquireRelease(
          Effect.sync(() => {
            handlers[place] = handler
          }),
          () =>
            Effect.sync(() => {
              handlers[place] = undefined
            })
        )

      const http = HttpServer.make({
        address,
        serve: Effect.fnUntraced(function* (app, middleware) {
          // Closing this scope interrupts the requests that are still running.
          const scope = yield* Scope.fork(yield* Effect.scope, "parallel")
          const webSockets = new NodeWS.WebSocketServer({ noServer: true, maxPayload: maxBodyBytes })
          webSockets.on("wsClientError", ({ message }, socket) => refuseConnection(socket, 400, message))
          yield* put("http", {
            handleRequest: yield* NodeHttpServer.makeHandler(app, { scope, middleware }),
            handleUpgrade: yield* NodeHttpServer.makeUpgradeHandler(Effect.succeed(webSockets), app, {
              scope,
              middleware
            })
          })
          yield* Effect.addFinalizer(() =>
            drain(server, closed).pipe(Effect.timeoutOption(Duration.times(shutdownTimeout, 0.8)))
          )
        })
      })
      return Context.make(HttpServer.HttpServer, http).pipe(
        Context.add(SocketPort, SocketPort.of({ attach: (handler) => put("sockets", handler) }))
      )
    })
  ),
  NodeHttpServer.layerHttpServices
)

/** Answers while the service starts or stops. */
const notReady: PortHandler = {
  handleRequest: (_, response) => refuseRequest(response, 503, "The service is starting or stopping"),
  handleUpgrade: (_, socket) => refuseConnection(socket, 503, "The service is starting or stopping")
}

const listen = Effect.fnUntraced(function* (server: Server, options: { readonly host: string; readonly port: number }) {
  yield* Effect.callback<void, ListenFailed>((resume) => {
    const failed = (error: Error) => resume(Effect.fail(listenFailed(options, error)))
    server.once("error", failed)
    server.listen(options, () => {
      server.off("error", failed)
      resume(Effect.void)
    })
  })
  // Later ones concern single connections (too many open files); without a listener they would end the process.
  const log = Effect.runForkWith(yield* Effect.context<never>())
  server.on("error", (error) => log(Effect.logError("The HTTP server could not take a connection", error)))
})

const listenFailed = ({ host, port }: { readonly host: string; readonly port: number }, error: Error): ListenFailed => {
  const message = {
    EADDRINUSE: `Port ${port} is in use: stop the other process, or set PORT to another one`,
    EACCES: `The service may not listen on port ${port}: set PORT to one above 1023`,
    EADDRNOTAVAIL: `This machine does not have the address ${host}: set HOST to 0.0.0.0, or to an address of its own`,
    ENOTFOUND: `There is no host ${host}: set HOST to 0.0.0.0, or to an address of this machine`
  }
  const code = Object.entries(message).find(([name]) => "code" in error && error.code === name)
  return new ListenFailed({
    message: code?.[1] ?? `The service can't listen on ${host}, port ${port}: ${error.message}`
  })
}

const boundAddress = (server: Server): Effect.Effect<NetAddress.SocketAddress> => {
  const address = server.address()
  return address === null || typeof address === "string"
    ? Effect.die(new Error("The server listens on no TCP port"))
    : Effect.orDie(Effect.fromResult(NetAddress.inetAddressFromIpString(address.address, address.port)))
}

/** Done when the server and all its connections are closed; the end of the scope closes them. */
const untilClosed = Effect.fnUntraced(function* (server: Server) {
  const closed = yield* Deferred.make<void>()
  const connections = new Set<Socket>()
  server.on("close", () => Deferred.doneUnsafe(closed, Effect.void))
  server.on("connection", (socket) => {
    connections.add(socket)
    socket.once("close", () => connections.delete(socket))
  })
  yield* Effect.addFinalizer(() =>
    Effect.gen(function* () {
      if (!server.listening && connections.size === 0) return
      yield* drain(server, closed).pipe(Effect.timeoutOption("1 second"))
      for (const socket of connections) socket.destroy()
    })
  )
  return closed
})

/** Stops accepting connections, and waits until the running requests are answered. */
const drain = (server: Server, closed: Deferred.Deferred<void>) =>
  Effect.sync(() => {
    if (server.listening) server.close()
    // A connection that has just become idle would stay open for another request.
    server.closeIdleConnections()
  }).pipe(Effect.repeat(Schedule.spaced("50 millis")), Effect.raceFirst(Deferred.await(closed)))
