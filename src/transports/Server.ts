import { createServer, type IncomingMessage, type Server, ServerResponse } from "node:http"
import type { Socket } from "node:net"
import { NodeHttpServer } from "@effect/platform-node"
import { Context, Duration, Effect, Layer, Schema, type Scope } from "effect"
import type { HttpServerError } from "effect/http"
import { Settings } from "../config/Settings.ts"

/** The port can't be listened on; the message says what to do. */
export class ListenFailed extends Schema.TaggedError<ListenFailed>()("ListenFailed", { message: Schema.String }) {}

/** What takes the requests and upgrades under `/socket.io/`. */
export interface SocketEngine {
  readonly handleRequest: (request: IncomingMessage, response: ServerResponse) => void
  readonly handleUpgrade: (request: IncomingMessage, socket: Socket, head: Buffer) => void
}

/** Lets Socket.IO's engine share the port (stack.md, "Socket.IO beside Effect on one port"). */
export class SocketPort extends Context.Service<
  SocketPort,
  { readonly attach: (engine: SocketEngine) => Effect.Effect<void, never, Scope.Scope> }
>()("bytebot/SocketPort") {}

const isSocketPath = (request: IncomingMessage): boolean => request.url?.startsWith("/socket.io/") === true

/**
 * The service's one HTTP server. Requests and upgrades under `/socket.io/` go to the engine before any listener of
 * Effect's sees them; everything else is Effect's.
 */
export const layer = Layer.unwrap(
  Effect.gen(function* () {
    const { host, port, shutdownTimeout } = yield* Settings
    let engine: SocketEngine | undefined
    const makeServer = (): Server => {
      const server = createServer({ keepAliveTimeout: 65_000, headersTimeout: 60_000, requestTimeout: 300_000 })
      const emit = server.emit.bind(server)
      server.emit = (event: string, ...args: Array<unknown>): boolean => {
        const [request, second, head] = args
        if (engine !== undefined && isRequest(request) && isSocketPath(request)) {
          if (event === "request" && second instanceof ServerResponse) {
            engine.handleRequest(request, second)
            return true
          }
          if (event === "upgrade" && Buffer.isBuffer(head)) {
            engine.handleUpgrade(request, request.socket, head)
            return true
          }
        }
        return emit(event, ...args)
      }
      return server
    }
    const socketPort = Layer.succeed(
      SocketPort,
      SocketPort.of({
        attach: (attached) =>
          Effect.acquireRelease(
            Effect.sync(() => {
              engine = attached
            }),
            () =>
              Effect.sync(() => {
                engine = undefined
              })
          )
      })
    )
    const http = NodeHttpServer.layer(makeServer, {
      host,
      port,
      gracefulShutdownTimeout: Duration.min(shutdownTimeout, Duration.seconds(5))
    }).pipe(Layer.catch((error) => Layer.effectContext(Effect.fail(listenFailed(port, error)))))
    return Layer.merge(socketPort, http)
  })
)

const isRequest = (value: unknown): value is IncomingMessage =>
  typeof value === "object" && value !== null && "url" in value && "socket" in value

const listenFailed = (port: number, error: HttpServerError.ServeError): ListenFailed => {
  const reason = error.cause instanceof Error ? error.cause.message : String(error.cause)
  return new ListenFailed({
    message: /EADDRINUSE/.test(reason)
      ? `Port ${port} is in use: stop the other process, or set PORT to another one`
      : `The service can't listen on port ${port}: ${reason}`
  })
}
