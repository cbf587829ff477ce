import { createReadStream } from "node:fs"
import type { IncomingMessage, ServerResponse } from "node:http"
import { createRequire } from "node:module"
import { dirname, join } from "node:path"
import { Duration, Effect, Layer, Option, Queue, Schema } from "effect"
import { Server as Engine } from "engine.io"
import { Server as SocketServer } from "socket.io"
import { Settings } from "../config/Settings.ts"
import type { TaskEvent, TaskEventPointer } from "../domain/TaskEvent.ts"
import { TaskEvents } from "../events/TaskEvents.ts"
import { SocketPort } from "./Server.ts"

/** How long a client that lost its connection finds its rooms and missed events again (socketio.md, on the web UI). */
const recovery = Duration.minutes(2)

const roomOf = (taskId: string): string => `task_${taskId}`

/** Both forms that clients send: the id, or the Rust version's object. */
const decodeTaskId = Schema.decodeUnknownOption(
  Schema.Union([Schema.String, Schema.Struct({ task_id: Schema.String })])
)

/** The Socket.IO gateway (contract/socketio.md): rooms per task, and every committed event to those who should have it. */
export const layer = Layer.effectDiscard(
  Effect.gen(function* () {
    const { corsOrigins } = yield* Settings
    const events = yield* TaskEvents
    const port = yield* SocketPort

    const io = yield* Effect.acquireRelease(
      Effect.sync(() => {
        const cors = Option.match(corsOrigins, {
          onNone: () => ({ origin: "*", methods: ["GET", "POST"] }),
          onSome: (origins) => ({ origin: [...origins], methods: ["GET", "POST"], credentials: true })
        })
        const engine = new Engine({ pingInterval: 25_000, pingTimeout: 20_000, maxHttpBufferSize: 1_000_000, cors })
        const server = new SocketServer({
          serveClient: false,
          connectionStateRecovery: { maxDisconnectionDuration: Duration.toMillis(recovery), skipMiddlewares: true }
        })
        server.bind(engine)
        return { engine, server }
      }),
      ({ engine, server }) =>
        Effect.sync(() => {
          server.disconnectSockets(true)
          engine.close()
        })
    )

    io.server.on("connection", (socket) => {
      const withTaskId = (act: (taskId: string) => Promise<void> | void) => (payload: unknown, ack: unknown) => {
        const decoded = decodeTaskId(payload)
        if (Option.isSome(decoded)) {
          void act(typeof decoded.value === "string" ? decoded.value : decoded.value.task_id)
        }
        if (typeof ack === "function") ack()
      }
      socket.on(
        "join_task",
        withTaskId((taskId) => socket.join(roomOf(taskId)))
      )
      socket.on(
        "leave_task",
        withTaskId((taskId) => socket.leave(roomOf(taskId)))
      )
    })

    yield* port.attach({
      handleRequest: (request, response) =>
        serveClient(request, response) ||
        io.engine.handleRequest(Object.assign(request, { _query: undefined }), response),
      handleUpgrade: (request, socket, head) =>
        io.engine.handleUpgrade(Object.assign(request, { _query: undefined }), socket, head)
    })

    const queue = yield* events.subscribe(() => true)
    yield* Effect.forever(
      Effect.flatMap(Queue.take(queue), (event) => Effect.sync(() => publish(io.server, event)))
    ).pipe(Effect.forkScoped)
  })
)

const isForEveryone = (pointer: TaskEventPointer): boolean =>
  pointer.kind === "task_created" || pointer.kind === "task_deleted"

const publish = (io: SocketServer, event: TaskEvent): void => {
  const target = isForEveryone(event) ? io : io.to(roomOf(event.taskId))
  target.emit(event.kind, event.payload)
}

const clientFiles = join(dirname(createRequire(import.meta.url).resolve("socket.io/package.json")), "client-dist")
const clientFile = /^\/socket\.io\/(socket\.io(?:\.min|\.esm\.min|\.msgpack\.min)?\.js(?:\.map)?)(?:\?.*)?$/

/** The client bundle, which socket.io serves itself only when it owns the HTTP server. */
const serveClient = (request: IncomingMessage, response: ServerResponse): boolean => {
  const name = request.method === "GET" ? clientFile.exec(request.url ?? "")?.[1] : undefined
  if (name === undefined) return false
  const stream = createReadStream(join(clientFiles, name))
  stream.once("error", () => {
    response.writeHead(404, { "access-control-allow-origin": "*" }).end()
  })
  stream.once("open", () => {
    response.writeHead(200, {
      "access-control-allow-origin": "*",
      "cache-control": "public, max-age=0",
      "content-type": name.endsWith(".map")
        ? "application/json; charset=utf-8"
        : "application/javascript; charset=utf-8"
    })
    stream.pipe(response)
  })
  return true
}
