import { createServer, type Server as HttpServer } from "node:http"
import { Effect, Layer, Option, Queue, Schedule, Schema } from "effect"
import { Server as SocketServer } from "socket.io"
import { Accounts } from "../auth/Accounts.ts"
import { Logins } from "../auth/Logins.ts"
import { Settings } from "../config/Settings.ts"
import { retryUntilAvailable } from "../database/DatabaseRetry.ts"
import { Caller } from "../domain/Caller.ts"
import type { TaskId } from "../domain/Task.ts"
import type { TaskEvent, TaskEventPointer } from "../domain/TaskEvent.ts"
import { TaskEvents } from "../events/TaskEvents.ts"
import { RequestLimits } from "../limits/RequestLimits.ts"
import { Visibility } from "../tasks/Visibility.ts"
import { engineLimits, tooMany } from "./EngineLimits.ts"
import { refuseConnection, refuseRequest } from "./Refusals.ts"
import { SocketPort } from "./Server.ts"
import {
  type ClientSocket,
  callerOf,
  canRecover,
  type Gateway,
  handshakeHeaders,
  limitBacklog,
  limitMessages
} from "./SocketIoClient.ts"
import { sendDrafts } from "./SocketIoDrafts.ts"
import * as boundedParser from "./SocketIoParser.ts"
import { offsetRooms, RecoveryAdapter } from "./SocketIoRecovery.ts"
import { administrators, roomOf, serveRooms, userRoom } from "./SocketIoRooms.ts"
import { SocketStats } from "./SocketStats.ts"

/** Handshake values of the original (docs/contract/socketio.md); milliseconds and bytes. */
const engineOptions = { pingInterval: 25_000, pingTimeout: 20_000, maxHttpBufferSize: 1_000_000 }

/** Milliseconds in which a connection has to enter the namespace. */
const connectTimeout = 10_000

/** The Socket.IO gateway (docs/contract/socketio.md): rooms per task, and every committed event to those who may see it. */
export const layer = Layer.effectDiscard(
  Effect.gen(function* () {
    const accounts = yield* Accounts
    const gateway = yield* openGateway
    const { io, recovery } = gateway
    // Socket.IO sends what was missed before the identity of the client is checked.
    recovery.restoresAtOnce = !accounts.areOn
    yield* serveClients(gateway)
    yield* endWithLogins(gateway)
    yield* takeRequests(gateway)
    yield* (yield* SocketStats).register(() => statistics(recovery))
    yield* Effect.sync(() => recovery.expire()).pipe(Effect.repeat(Schedule.spaced("30 seconds")), Effect.forkScoped)
    yield* Effect.forkScoped(publishEvents(io, recovery, accounts.areOn))
    yield* sendDrafts(io)
  })
)

interface OpenGateway {
  /** What Socket.IO takes for the HTTP server. It never listens: the port hands requests over to it. */
  readonly inner: HttpServer
  readonly io: Gateway
  readonly recovery: RecoveryAdapter
  readonly limits: Effect.Success<typeof engineLimits>
}

/** Socket.IO's server, until the scope closes. */
const openGateway = Effect.gen(function* () {
  const { corsOrigins } = yield* Settings
  const limits = yield* engineLimits
  const inner = createServer()
  const io = yield* Effect.acquireRelease(
    Effect.sync(() => {
      const server: Gateway = new SocketServer({
        ...engineOptions,
        cors: corsOptions(corsOrigins),
        connectTimeout,
        connectionStateRecovery: { skipMiddlewares: false },
        adapter: RecoveryAdapter,
        parser: boundedParser
      })
      return server.attach(inner)
    }),
    // Closes the transports without Socket.IO's own farewell, after which clients would not reconnect by themselves.
    (server) => Effect.promise(() => server.close())
  )
  const recovery = io.of("/").adapter
  if (!(recovery instanceof RecoveryAdapter)) return yield* Effect.die(new Error("Socket.IO has another adapter"))
  return { inner, io, recovery, limits }
})

/** Takes requests from the service's port, within limits. */
const takeRequests = Effect.fnUntraced(function* ({ inner, io, limits }: OpenGateway) {
  io.engine.on("connection", limits.follow)
  yield* (yield* SocketPort).attach({
    handleRequest: (request, response) => {
      if (!limits.mayOpen(request)) return refuseRequest(response, 429, tooMany)
      limits.limitBody(request)
      inner.emit("request", request, response)
    },
    handleUpgrade: (request, socket, head) => {
      if (!limits.mayOpen(request)) return refuseConnection(socket, 429, tooMany)
      limits.limitFrames(request, socket)
      inner.emit("upgrade", request, socket, head)
    }
  })
})

/** As on every response (docs/contract/rest.md, "General"): all origins, or the given ones with credentials. */
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

/** Lets clients in that may come in, and serves them. */
const serveClients = Effect.fnUntraced(function* ({ io, limits, recovery }: OpenGateway) {
  const accounts = yield* Accounts
  const requestLimits = yield* RequestLimits
  const visibility = yield* Visibility
  const run = Effect.runForkWith(yield* Effect.context<never>())

  const identify = Effect.fnUntraced(function* (socket: ClientSocket) {
    const address = limits.keyOf(socket.request)
    const caller = yield* accounts
      .identify({ headers: handshakeHeaders(socket), mayChange: false })
      .pipe(Effect.tapError(() => requestLimits.countRequest(address)))
    yield* requestLimits.countRequest(caller.userId === null ? address : `user ${caller.userId}`)
    socket.data.caller = caller
  })
  io.use((socket, next) => {
    limits.known(socket.conn)
    // Socket.IO tells a client its pid only if there is one.
    if (!canRecover(socket)) Reflect.set(socket, "pid", undefined)
    const onFailure = ({ message }: { readonly message: string }) => next(new Error(message))
    run(Effect.match(identify(socket), { onSuccess: () => next(), onFailure }))
  })
  io.on("connection", (socket) => {
    const { caller } = socket.data
    void socket.join(canRecover(socket) ? offsetRooms.with : offsetRooms.without)
    if (accounts.areOn) void socket.join(caller.seesAll ? administrators : userRoom(caller.userId))
    resume(io, socket, recovery)
    const mayJoin = (taskId: TaskId) =>
      caller.seesAll
        ? Effect.succeed(true)
        : // The answer waits for the database, as long as the socket lives: clients do not ask again after a refusal.
          visibility.ofTask(taskId).pipe(retryUntilAvailable, Effect.orDie, Effect.provideService(Caller, caller))
    const rooms = run(serveRooms(socket, mayJoin))
    socket.once("disconnect", () => rooms.interruptUnsafe())
    limitBacklog(socket)
    limitMessages(socket)
  })
})

const decodeAuth = Schema.decodeUnknownOption(
  Schema.Struct({ pid: Schema.String, offset: Schema.optionalKey(Schema.String) })
)

/** Gives a client that comes back what Socket.IO could not recover: see `RecoveryAdapter`. */
const resume = (io: Gateway, socket: ClientSocket, recovery: RecoveryAdapter): void => {
  const auth = socket.recovered ? Option.none() : decodeAuth(socket.handshake.auth)
  if (Option.isNone(auth)) return
  const { pid, offset } = auth.value
  const { missed, rooms } = recovery.resume(pid, offset, (data) => callerOf(data).userId === socket.data.caller.userId)
  void socket.join([...rooms])
  for (const { data } of missed) {
    const [name, payload] = data
    io.to(socket.id).emit(String(name), payload)
  }
}

/** Disconnects and forgets clients whose login is over. */
const endWithLogins = Effect.fnUntraced(function* ({ io, recovery }: OpenGateway) {
  const { sockets } = io.of("/")
  yield* (yield* Logins).follow({
    inUse: () =>
      [...[...sockets.values()].map(({ data }) => data), ...recovery.lostData()].flatMap((data) => {
        const { login } = callerOf(data)
        return login === null ? [] : [login.id]
      }),
    ended: (id) => {
      recovery.forget((data) => callerOf(data).login?.id === id)
      for (const socket of sockets.values()) if (socket.data.caller.login?.id === id) socket.disconnect(true)
    }
  })
})

const statistics = ({ rooms, sids }: RecoveryAdapter) => {
  const internal: ReadonlyArray<string> = Object.values(offsetRooms)
  // Each socket is in a room of its own, too, which has its id.
  const shown = [...rooms].filter(([room]) => !sids.has(room) && !internal.includes(room))
  return {
    total_connections: sids.size,
    total_rooms: shown.length,
    rooms: Object.fromEntries(shown.map(([room, { size }]) => [room, size]))
  }
}

const isForEveryone = ({ kind }: TaskEventPointer): boolean => kind === "task_created" || kind === "task_deleted"

/** The rooms that an event is for; none: it is for all. */
const roomsOf = (event: TaskEvent, areAccountsOn: boolean): Array<string> => {
  if (!isForEveryone(event)) return [roomOf(event.taskId)]
  if (!areAccountsOn) return []
  return event.userId === null ? [administrators] : [administrators, userRoom(event.userId)]
}

/** Sends every event that has an audience to its rooms. */
const publishEvents = Effect.fnUntraced(function* (io: Gateway, recovery: RecoveryAdapter, areAccountsOn: boolean) {
  const events = yield* TaskEvents
  const wants = (pointer: TaskEventPointer) =>
    recovery.hasAudience(isForEveryone(pointer) ? undefined : roomOf(pointer.taskId))
  const publish = (event: TaskEvent) => void io.to(roomsOf(event, areAccountsOn)).emit(event.kind, event.payload)
  return yield* events.follow(wants).pipe(
    Effect.flatMap((queue) => Effect.forever(Effect.map(Queue.take(queue), publish))),
    Effect.scoped,
    Effect.tapError((error) => Effect.logWarning(`Socket.IO gets no events: ${error.message}`)),
    Effect.retry(Schedule.spaced("1 second"))
  )
})
