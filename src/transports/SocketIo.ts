import { createServer } from "node:http"
import { Effect, Layer, Option, Queue, Schedule, Schema } from "effect"
import { type Socket, Server as SocketServer } from "socket.io"
import { Settings } from "../config/Settings.ts"
import type { TaskEvent, TaskEventPointer } from "../domain/TaskEvent.ts"
import { TaskEvents } from "../events/TaskEvents.ts"
import { SocketPort } from "./Server.ts"
import { RecoveryAdapter } from "./SocketIoRecovery.ts"

/** Handshake values of the original (socketio.md); milliseconds and bytes. */
const engineOptions = { pingInterval: 25_000, pingTimeout: 20_000, maxHttpBufferSize: 1_000_000 }

/**
 * Most that may wait in memory for one client to take it, in characters. More than is kept for recovery, so that a client
 * that was cut off can take all it missed when it is back.
 */
const longestBacklog = 64 * 1024 * 1024

/** A page shows one task, a dashboard some; a client that joins more is up to no good. */
const mostRooms = 1_000

/** The Socket.IO gateway (socketio.md): rooms per task, and every committed event to those who should have it. */
export const layer = Layer.effectDiscard(
  Effect.gen(function* () {
    const settings = yield* Settings
    const events = yield* TaskEvents
    const port = yield* SocketPort

    // Never listens: socket.io attaches to it as to any server, and the port hands over what is for it.
    const inner = createServer()
    const io = yield* Effect.acquireRelease(
      Effect.sync(() => {
        const server = new SocketServer({
          ...engineOptions,
          cors: corsOptions(settings.corsOrigins),
          connectionStateRecovery: {},
          adapter: RecoveryAdapter
        })
        return server.attach(inner)
      }),
      // Closes the transports without a farewell of Socket.IO's own, on which clients would not come back by themselves.
      (server) => Effect.promise(() => server.close())
    )
    const recovery = io.of("/").adapter
    if (!(recovery instanceof RecoveryAdapter)) return yield* Effect.die(new Error("Socket.IO has another adapter"))

    io.on("connection", (socket) => {
      resume(socket, recovery)
      serveRooms(socket)
      cutOffWhenBehind(socket)
    })
    yield* Effect.sync(() => recovery.expire()).pipe(Effect.repeat(Schedule.spaced("30 seconds")), Effect.forkScoped)

    yield* port.attach({
      handleRequest: (request, response) => inner.emit("request", request, response),
      handleUpgrade: (request, socket, head) => inner.emit("upgrade", request, socket, head)
    })

    const wants = (pointer: TaskEventPointer): boolean =>
      recovery.hasAudience(isForEveryone(pointer) ? undefined : roomOf(pointer.taskId))
    const publish = (event: TaskEvent): boolean =>
      (isForEveryone(event) ? io : io.to(roomOf(event.taskId))).emit(event.kind, event.payload)

    yield* events.subscribe(wants).pipe(
      Effect.flatMap((queue) =>
        Effect.forever(Effect.flatMap(Queue.take(queue), (event) => Effect.sync(() => publish(event))))
      ),
      Effect.scoped,
      Effect.tapError((error) => Effect.logWarning(`Socket.IO gets no events: ${error.message}`)),
      Effect.retry(Schedule.spaced("1 second")),
      Effect.forkScoped
    )
  })
)

const roomOf = (taskId: string): string => `task_${taskId}`

const isForEveryone = ({ kind }: TaskEventPointer): boolean => kind === "task_created" || kind === "task_deleted"

/** As on every response (rest.md, "General"): all origins, or the given ones with credentials. */
const corsOptions = (origins: Option.Option<ReadonlyArray<string>>) => {
  const methods = ["GET", "POST"]
  return Option.match(
    Option.filter(origins, (list) => !list.includes("*")),
    {
      onNone: () => ({ origin: "*", methods }),
      onSome: (list) => ({ origin: [...list], methods, credentials: true })
    }
  )
}

/** An id of any shape, but not longer than one can be: it becomes a key that stays in memory. */
const RoomTaskId = Schema.String.check(Schema.isMinLength(1), Schema.isMaxLength(256))

/** Both forms that clients send: the id, or the Rust version's object. */
const decodeRoomRequest = Schema.decodeUnknownOption(Schema.Union([RoomTaskId, Schema.Struct({ task_id: RoomTaskId })]))

/** `join_task` and `leave_task`. What is no task id is ignored; who asks for an acknowledgement hears whether it was one. */
const serveRooms = (socket: Socket): void => {
  const serve = (event: string, act: (room: string) => void) => {
    socket.on(event, (...args: ReadonlyArray<unknown>) => {
      const request = Option.map(decodeRoomRequest(args[0]), (id) => (typeof id === "string" ? id : id.task_id))
      if (Option.isSome(request)) act(roomOf(request.value))
      const acknowledge = args.at(-1)
      if (typeof acknowledge === "function") acknowledge({ ok: Option.isSome(request) })
    })
  }
  serve("join_task", (room) => {
    if (socket.rooms.size < mostRooms) void socket.join(room)
  })
  serve("leave_task", (room) => void socket.leave(room))
}

const decodeAuth = Schema.decodeUnknownOption(
  Schema.Struct({ pid: Schema.String, offset: Schema.optionalKey(Schema.String) })
)

/** Gives a client that comes back what socket.io could not recover: see `RecoveryAdapter`. */
const resume = (socket: Socket, recovery: RecoveryAdapter): void => {
  const auth = socket.recovered ? Option.none() : decodeAuth(socket.handshake.auth)
  if (Option.isNone(auth)) return
  const { missed, rooms } = recovery.resume(auth.value.pid, auth.value.offset)
  void socket.join([...rooms])
  for (const [event, ...args] of missed) socket.emit(String(event), ...args)
}

const decodeText = Schema.decodeUnknownOption(Schema.Struct({ data: Schema.String }))

/** Cuts a client off that takes events more slowly than they come; it connects again and gets what it missed. */
const cutOffWhenBehind = ({ conn }: Socket): void => {
  let backlog = 0
  conn.on("flush", () => {
    backlog = 0
  })
  conn.on("packetCreate", (packet: unknown) => {
    backlog += Option.match(decodeText(packet), { onNone: () => 0, onSome: ({ data }) => data.length })
    if (backlog > longestBacklog) conn.close(true)
  })
}
