import { createServer } from "node:http"
import { Effect, Layer, Option, Predicate, Queue, Schedule, Schema } from "effect"
import { Headers } from "effect/http"
import { type DefaultEventsMap, type Socket, Server as SocketServer } from "socket.io"
import { Accounts } from "../auth/Accounts.ts"
import { Logins } from "../auth/Logins.ts"
import { Settings } from "../config/Settings.ts"
import { withoutHaste } from "../database/DatabaseRetry.ts"
import { Caller, type CallerIdentity, everybody } from "../domain/Caller.ts"
import { TaskId } from "../domain/Task.ts"
import type { TaskEvent, TaskEventPointer } from "../domain/TaskEvent.ts"
import { payloadText } from "../events/EventFeed.ts"
import { TaskEvents } from "../events/TaskEvents.ts"
import { RequestLimits } from "../limits/RequestLimits.ts"
import { Visibility } from "../tasks/Visibility.ts"
import { encodeEvent, once } from "./EncodedEvent.ts"
import { engineLimits, tooMany } from "./EngineLimits.ts"
import { refuseConnection, refuseRequest } from "./Refusals.ts"
import { SocketPort } from "./Server.ts"
import * as boundedParser from "./SocketIoParser.ts"
import { type Outgoing, RecoveryAdapter } from "./SocketIoRecovery.ts"
import { SocketStats } from "./SocketStats.ts"

/** Handshake values of the original (docs/contract/socketio.md); milliseconds and bytes. */
const engineOptions = { pingInterval: 25_000, pingTimeout: 20_000, maxHttpBufferSize: 1_000_000 }

/** Milliseconds in which a connection has to enter the namespace. */
const connectTimeout = 10_000

/**
 * Most that may wait in memory for one client to take it, in characters. More than is kept for recovery, so that a client
 * that was cut off can take all it missed when it is back.
 */
const longestBacklog = 64 * 1024 * 1024

/** A page shows one task, a dashboard some; a client that joins more is up to no good. */
const mostRooms = 1_000

/** What is remembered of a socket, also while its client is away. */
interface SocketData {
  caller: CallerIdentity
  /** Whether it gets offsets, to come back by. */
  recovers: boolean
}

type Gateway = SocketServer<DefaultEventsMap, DefaultEventsMap, DefaultEventsMap, SocketData>
type ClientSocket = Socket<DefaultEventsMap, DefaultEventsMap, DefaultEventsMap, SocketData>

/** The Socket.IO gateway (docs/contract/socketio.md): rooms per task, and every committed event to those who should have it. */
export const layer = Layer.effectDiscard(
  Effect.gen(function* () {
    const settings = yield* Settings
    const events = yield* TaskEvents
    const port = yield* SocketPort
    const accounts = yield* Accounts
    const logins = yield* Logins
    const limits = yield* RequestLimits
    const stats = yield* SocketStats
    const visibility = yield* Visibility
    const run = Effect.runForkWith(yield* Effect.context<never>())

    const { known, keyOf, limitBody, limitFrames, mayOpen, follow } = yield* engineLimits
    // Never listens: socket.io attaches to it as to any server, and the port hands over what is for it.
    const inner = createServer()
    const io = yield* Effect.acquireRelease(
      Effect.sync(() => {
        const server: Gateway = new SocketServer({
          ...engineOptions,
          cors: corsOptions(settings.corsOrigins),
          connectTimeout,
          connectionStateRecovery: { skipMiddlewares: false },
          adapter: RecoveryAdapter,
          parser: boundedParser
        })
        return server.attach(inner)
      }),
      // Closes the transports without a farewell of Socket.IO's own, on which clients would not come back by themselves.
      (server) => Effect.promise(() => server.close())
    )
    const recovery = io.of("/").adapter
    if (!(recovery instanceof RecoveryAdapter)) return yield* Effect.die(new Error("Socket.IO has another adapter"))
    // Socket.IO sends what was missed before it is known who has come back.
    recovery.restoresAtOnce = !accounts.areOn

    io.engine.on("connection", follow)

    const send = (event: Outgoing): void => {
      const offset = recovery.remember(event)
      const withOffset = once(() => encodeEvent(event.name, event.payload, offset))
      const plain = once(() => encodeEvent(event.name, event.payload))
      const { sockets } = io.of("/")
      for (const id of recovery.audience(event.rooms)) {
        const socket = sockets.get(id)
        if (socket === undefined) continue
        const { options, text } = socket.data.recovers ? withOffset() : plain()
        socket.conn.write(text, options)
      }
    }

    io.use((socket, next) => {
      known(socket.conn)
      socket.data.recovers = canRecover(socket)
      // Socket.IO tells a client its pid only where it has one.
      if (!socket.data.recovers) Reflect.set(socket, "pid", undefined)
      next()
    })
    io.use((socket, next) => {
      run(
        accounts.identify({ headers: handshakeHeaders(socket), mayChange: false }).pipe(
          Effect.tapError(() => limits.countRequest(keyOf(socket.request))),
          Effect.tap(({ userId }) => limits.countRequest(userId === null ? keyOf(socket.request) : `user ${userId}`)),
          Effect.match({
            onSuccess: (caller) => {
              socket.data.caller = caller
              next()
            },
            onFailure: ({ message }) => next(new Error(message))
          })
        )
      )
    })
    io.on("connection", (socket) => {
      const { caller } = socket.data
      if (accounts.areOn) void socket.join(caller.seesAll ? administrators : userRoom(caller.userId))
      resume(socket, recovery, send)
      const mayJoin = (taskId: TaskId) =>
        caller.seesAll
          ? Effect.succeed(true)
          : // The answer waits for the database, as long as the socket lives: a refusal would be final.
            visibility.ofTask(taskId).pipe(withoutHaste, Effect.orDie, Effect.provideService(Caller, caller))
      const rooms = run(serveRooms(socket, mayJoin))
      socket.once("disconnect", () => rooms.interruptUnsafe())
      cutOffWhenBehind(socket)
      cutOffWhenTalkative(socket)
    })
    yield* stats.register(() => {
      // Each socket is in a room of its own, too, which has its id.
      const rooms = [...recovery.rooms].filter(([room]) => !recovery.sids.has(room))
      return {
        total_connections: recovery.sids.size,
        total_rooms: rooms.length,
        rooms: Object.fromEntries(rooms.map(([room, { size }]) => [room, size]))
      }
    })
    yield* logins.follow({
      inUse: () =>
        [...[...io.of("/").sockets.values()].map(({ data }) => data), ...recovery.lostData()].flatMap((data) => {
          const { login } = callerOf(data)
          return login === null ? [] : [login.id]
        }),
      ended: (id) => {
        recovery.forget((data) => callerOf(data).login?.id === id)
        for (const socket of io.of("/").sockets.values()) {
          if (socket.data.caller.login?.id === id) socket.disconnect(true)
        }
      }
    })
    yield* Effect.sync(() => recovery.expire()).pipe(Effect.repeat(Schedule.spaced("30 seconds")), Effect.forkScoped)

    yield* port.attach({
      handleRequest: (request, response) => {
        if (!mayOpen(request)) return refuseRequest(response, 429, tooMany)
        limitBody(request)
        inner.emit("request", request, response)
      },
      handleUpgrade: (request, socket, head) => {
        if (!mayOpen(request)) return refuseConnection(socket, 429, tooMany)
        limitFrames(request, socket)
        inner.emit("upgrade", request, socket, head)
      }
    })

    const wants = (pointer: TaskEventPointer): boolean =>
      recovery.hasAudience(isForEveryone(pointer) ? undefined : roomOf(pointer.taskId))
    const publish = (event: TaskEvent): void =>
      send({
        name: event.kind,
        payload: payloadText(event),
        rooms: isForEveryone(event) ? whoMaySee(event) : [roomOf(event.taskId)]
      })
    /** No rooms: everyone. */
    const whoMaySee = ({ userId }: TaskEvent): ReadonlyArray<string> => {
      if (!accounts.areOn) return []
      return userId === null ? [administrators] : [administrators, userRoom(userId)]
    }

    yield* events.follow(wants).pipe(
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

/** Rooms that no client can ask for: theirs begin with `task_`. */
const administrators = "administrators"
const userRoom = (userId: string | null): string => `user_${userId}`

const roomOf = (taskId: string): string => `task_${taskId}`

const isForEveryone = ({ kind }: TaskEventPointer): boolean => kind === "task_created" || kind === "task_deleted"

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

/** An id of any shape, but not longer than one can be: it becomes a key that stays in memory. */
const RoomTaskId = Schema.String.check(Schema.isMinLength(1), Schema.isMaxLength(256))

/** Both forms that clients send: the id, or the Rust version's object. */
const decodeRoomRequest = Schema.decodeUnknownOption(Schema.Union([RoomTaskId, Schema.Struct({ task_id: RoomTaskId })]))

/**
 * `join_task` and `leave_task`, one after the other. What is no task id, or no task of the caller's, is ignored; who asks for an
 * acknowledgement hears whether something came of it.
 */
const serveRooms = (socket: ClientSocket, mayJoin: (taskId: TaskId) => Effect.Effect<boolean>): Effect.Effect<never> =>
  Effect.gen(function* () {
    const requests = yield* Queue.dropping<Effect.Effect<void>>(mostRooms)
    const serve = (event: string, act: (taskId: string) => Effect.Effect<boolean>) => {
      socket.on(event, (...args: ReadonlyArray<unknown>) => {
        const acknowledge = args.at(-1)
        const ok = Option.match(decodeRoomRequest(args[0]), {
          onNone: () => Effect.succeed(false),
          onSome: (id) => act(typeof id === "string" ? id : id.task_id)
        })
        Queue.offerUnsafe(
          requests,
          Effect.map(ok, (ok) => {
            if (typeof acknowledge === "function") acknowledge({ ok })
          })
        )
      })
    }
    serve("join_task", (id) =>
      Effect.tap(mayJoin(TaskId.make(id)), (may) =>
        Effect.sync(() => {
          if (may && socket.rooms.size < mostRooms) void socket.join(roomOf(id))
        })
      )
    )
    serve("leave_task", (id) =>
      Effect.sync(() => {
        void socket.leave(roomOf(id))
        return true
      })
    )
    return yield* Effect.forever(Effect.flatten(Queue.take(requests)))
  })

/** Who the socket belongs to; `data` is what socket.io remembers of one whose client is away. */
const callerOf = (data: unknown): CallerIdentity =>
  Option.match(decodeData(data), { onNone: () => everybody, onSome: ({ caller }) => caller })

const decodeData = Schema.decodeUnknownOption(
  Schema.Struct({
    caller: Schema.Struct({
      userId: Schema.NullOr(Schema.String),
      seesAll: Schema.Boolean,
      login: Schema.NullOr(Schema.Struct({ id: Schema.String, kind: Schema.Literals(["session", "key"]) }))
    })
  })
)

const decodeToken = Schema.decodeUnknownOption(Schema.Struct({ token: Schema.NonEmptyString }))

/** Browsers can't set headers on a WebSocket: `auth: { token }` of the handshake stands for a bearer token. */
const handshakeHeaders = ({ handshake }: ClientSocket): Headers.Headers =>
  Option.match(decodeToken(handshake.auth), {
    onNone: () => Headers.fromInput(handshake.headers),
    onSome: ({ token }) => Headers.fromInput({ ...handshake.headers, authorization: `Bearer ${token}` })
  })

/**
 * Browsers, and clients that ask: others hand the offset on to listeners. Python's websocket-client sends an Origin, too, but no User-Agent;
 * that of every browser begins with Mozilla (https://developer.mozilla.org/docs/Web/HTTP/Reference/Headers/User-Agent).
 */
const canRecover = ({ handshake: { auth, headers } }: ClientSocket): boolean =>
  (headers.origin !== undefined && headers["user-agent"]?.startsWith("Mozilla/") === true) || asksForRecovery(auth)

const asksForRecovery = Schema.is(Schema.Struct({ recovery: Schema.Literal(true) }))

const decodeAuth = Schema.decodeUnknownOption(
  Schema.Struct({ pid: Schema.String, offset: Schema.optionalKey(Schema.String) })
)

/** Gives a client that comes back what socket.io could not recover: see `RecoveryAdapter`. */
const resume = (socket: ClientSocket, recovery: RecoveryAdapter, send: (event: Outgoing) => void): void => {
  const auth = socket.recovered ? Option.none() : decodeAuth(socket.handshake.auth)
  if (Option.isNone(auth)) return
  const { pid, offset } = auth.value
  const { missed, rooms } = recovery.resume(pid, offset, (data) => callerOf(data).userId === socket.data.caller.userId)
  void socket.join([...rooms])
  for (const event of missed) send({ ...event, rooms: [socket.id] })
}

/** Most messages of one client in a window, and the window's length in ms: a dashboard that joins all its tasks at once stays below. */
const talk = { most: 2_000, window: 10_000 }

/** Cuts a client off that says more than anybody has to say. */
const cutOffWhenTalkative = (socket: ClientSocket): void => {
  let begun = performance.now()
  let count = 0
  socket.onAny(() => {
    if (performance.now() - begun > talk.window) {
      begun = performance.now()
      count = 0
    }
    count += 1
    if (count > talk.most) socket.disconnect(true)
  })
}

/** Called for each packet to each client, hence no Schema. */
const textLength = (packet: unknown): number =>
  Predicate.hasProperty(packet, "data") && typeof packet.data === "string" ? packet.data.length : 0

/** Cuts a client off that takes events more slowly than they come; it connects again and gets what it missed. */
const cutOffWhenBehind = ({ conn }: ClientSocket): void => {
  let backlog = 0
  conn.on("flush", () => {
    backlog = 0
  })
  conn.on("packetCreate", (packet: unknown) => {
    backlog += textLength(packet)
    if (backlog > longestBacklog) conn.close(true)
  })
}
