import { Effect, Option, Queue, Schema } from "effect"
import { TaskId } from "../domain/Task.ts"
import type { ClientSocket } from "./SocketIoClient.ts"

/** Rooms per socket: a page shows one task, a dashboard tens. */
const mostRooms = 1_000

export const roomOf = (taskId: string): string => `task_${taskId}`

/** Rooms that no client can join: theirs begin with `task_`. */
export const administrators = "administrators"
export const userRoom = (userId: string | null): string => `user_${userId}`

/** An id of any shape, but bounded: it becomes a key that stays in memory. */
const RoomTaskId = Schema.String.check(Schema.isMinLength(1), Schema.isMaxLength(256))

/** Clients send the id, or the Rust version's object. */
const decodeRoomRequest = Schema.decodeUnknownOption(Schema.Union([RoomTaskId, Schema.Struct({ task_id: RoomTaskId })]))

/** Serves `join_task` and `leave_task` in their order. Invalid ids and tasks of others are ignored; an acknowledgement tells. */
export const serveRooms = Effect.fnUntraced(function* (
  socket: ClientSocket,
  mayJoin: (taskId: TaskId) => Effect.Effect<boolean>
) {
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
