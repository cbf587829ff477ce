import { Effect, Queue, Schema } from "effect"
import { Drafts, type OwnedDelta } from "../events/Drafts.ts"
import { backlogOf, type ClientSocket, type Gateway } from "./SocketIoClient.ts"
import { roomOf } from "./SocketIoRooms.ts"

/** Characters beyond which a client gets no more of a draft until it has taken what waits. */
const longestBacklog = 64 * 1024

/** Whether a client's handshake asks for `message_delta`, which the original has not: its clients get nothing that they do not know. */
const asksForDeltas = Schema.is(Schema.Struct({ deltas: Schema.Literal(true) }))

/** Tells drafts to those in the task's room who asked for them. They are not recovered: what is missed comes with the stored message. */
export const sendDrafts = Effect.fnUntraced(function* (io: Gateway) {
  const { adapter } = io.of("/")
  const asking = new Map<string, { readonly conn: ClientSocket["conn"]; readonly backlog: () => number }>()
  io.on("connection", (socket) => {
    if (!asksForDeltas(socket.handshake.auth)) return
    asking.set(socket.id, { conn: socket.conn, backlog: backlogOf(socket) })
    socket.once("disconnect", () => asking.delete(socket.id))
  })
  const listeners = (taskId: string) =>
    [...(adapter.rooms.get(roomOf(taskId)) ?? [])].flatMap((id) => asking.get(id) ?? [])
  const deltas = yield* (yield* Drafts).watch({
    wants: (taskId) => asking.size > 0 && listeners(taskId).length > 0,
    isWatching: () => asking.size > 0
  })
  const tell = ({ userId: _, ...delta }: OwnedDelta) =>
    Effect.sync(() => {
      // As Socket.IO encodes it; what it emits itself is kept for recovery.
      const packet = `2${JSON.stringify(["message_delta", delta])}`
      for (const { backlog, conn } of listeners(delta.taskId)) {
        if (backlog() <= longestBacklog) conn.write(packet)
      }
    })
  yield* Queue.take(deltas).pipe(Effect.flatMap(tell), Effect.forever, Effect.forkScoped)
})
