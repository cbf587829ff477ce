import { Effect, Layer, Schema, Stream } from "effect"
import { Headers } from "effect/http"
import { RpcSchema, RpcSerialization, RpcServer } from "effect/rpc"
import { RpcApi, RpcAuthentication } from "../api/RpcApi.ts"
import { Accounts } from "../auth/Accounts.ts"
import { Caller } from "../domain/Caller.ts"
import { Message } from "../domain/Message.ts"
import { Task, TaskId } from "../domain/Task.ts"
import type { WatchedEvent } from "../domain/WatchedEvent.ts"
import { EventFeed, type FeedItem, type Watch } from "../events/EventFeed.ts"
import { RequestLimits } from "../limits/RequestLimits.ts"
import { Messages } from "../messages/Messages.ts"
import { ModelCatalog } from "../models/ModelCatalog.ts"
import { DesktopStates } from "../tasks/DesktopStates.ts"
import { smallSize } from "../tasks/TaskRow.ts"
import { Tasks } from "../tasks/Tasks.ts"
import { Usage } from "../tasks/Usage.ts"
import { newTaskOf } from "./NewTaskOf.ts"
import { CurrentConnection, CurrentReserve, type RpcConnection, RpcConnections } from "./RpcConnection.ts"
import { checkedJson } from "./RpcMessages.ts"
import * as RpcProtocol from "./RpcProtocol.ts"

const authentication = Layer.effect(
  RpcAuthentication,
  Effect.gen(function* () {
    const { identify } = yield* Accounts
    const limits = yield* RequestLimits

    /** As for REST: users are counted by themselves, and callers without an account by address. */
    const identified = Effect.fnUntraced(function* (connection: RpcConnection, authorization: string | undefined) {
      const { address } = connection
      const headers =
        authorization === undefined
          ? connection.headers
          : Headers.set(connection.headers, "authorization", authorization)
      const caller = yield* Effect.tapError(identify({ headers, mayChange: true }), () => limits.countRequest(address))
      connection.identified()
      yield* limits.countRequest(caller.userId === null ? address : `user ${caller.userId}`)
      return caller
    })

    return (call, { headers, rpc }) =>
      Effect.gen(function* () {
        const connection = yield* CurrentConnection
        if (connection === undefined) return yield* Effect.die(new Error("An RPC call outside of a connection"))
        return yield* connection.limited(
          RpcSchema.isStreamSchema(rpc.successSchema),
          Effect.flatMap(identified(connection, headers.authorization), (caller) =>
            Effect.provideService(call, Caller, caller)
          )
        )
      })
  })
)

const decodeTask = Schema.decodeUnknownEffect(Task)
const decodeMessage = Schema.decodeUnknownEffect(Message)

/** The item as a client's types have it. A stored payload that does not fit them is a bug. */
const typed = (item: FeedItem): Effect.Effect<WatchedEvent> => {
  const { position } = item
  if (item._tag === "Gap") return Effect.succeed({ _tag: "Gap", position })
  if (item._tag === "Delta") return Effect.succeed({ _tag: "MessageDelta", position, ...item.delta })
  const { kind, payload, taskId } = item.event
  switch (kind) {
    case "task_created":
      return Effect.orDie(Effect.map(decodeTask(payload), (task) => ({ _tag: "TaskCreated", position, task }) as const))
    case "task_updated":
      return Effect.orDie(Effect.map(decodeTask(payload), (task) => ({ _tag: "TaskUpdated", position, task }) as const))
    case "new_message":
      return Effect.orDie(
        Effect.map(decodeMessage(payload), (message) => ({ _tag: "NewMessage", position, message }) as const)
      )
    case "task_deleted":
      return Effect.succeed({ _tag: "TaskDeleted", position, taskId: TaskId.make(taskId) })
  }
}

const handlers = RpcApi.toLayer(
  Effect.gen(function* () {
    const tasks = yield* Tasks
    const messages = yield* Messages
    const usage = yield* Usage
    const models = yield* ModelCatalog
    const desktops = yield* DesktopStates
    const feed = yield* EventFeed
    const watch = (wanted: Watch) =>
      Stream.unwrap(Effect.map(feed.watch(wanted), (items) => Stream.mapEffect(items, typed)))
    return RpcApi.of({
      CreateTask: (payload) => tasks.create(newTaskOf(payload)),
      GetTask: ({ id }) => Effect.flatMap(CurrentReserve, (reserve) => tasks.getReserving(id, reserve)),
      ListTasks: ({ limit = 10, page = 1, statuses = [] }) =>
        Effect.gen(function* () {
          const list = yield* tasks.list({ limit, from: { page }, statuses, room: smallSize })
          if (list.unread.length === 0) return list
          yield* (yield* CurrentReserve)(list.unread.reduce((sum, { size }) => sum + size, smallSize))
          const rest = yield* tasks.withIds(list.unread.map(({ id }) => id))
          return { ...list, tasks: [...list.tasks, ...rest] }
        }),
      DeleteTask: ({ id }) => tasks.remove(id),
      TakeOverTask: ({ id }) => tasks.takeover(id),
      ResumeTask: ({ id }) => tasks.resume(id),
      CancelTask: ({ id }) => tasks.cancel(id),
      GetUsage: ({ id }) => usage.ofTask(id),
      AddMessage: ({ id, message }) =>
        Effect.flatMap(CurrentReserve, (reserve) => messages.addUserMessage(id, message, reserve)),
      ListMessages: ({ id, limit = 10, page = 1 }) =>
        Effect.flatMap(CurrentReserve, (reserve) => messages.list({ taskId: id, limit, page }, reserve)),
      ListModels: () => models.list,
      ListDesktops: () => desktops.list,
      WatchTask: ({ after, deltas, id }) => watch({ taskId: id, after, deltas }),
      WatchTasks: ({ after, deltas, kinds }) =>
        watch({ after, deltas: kinds === undefined ? deltas : kinds.includes("MessageDelta") }).pipe(
          Stream.filter(({ _tag }) => kinds === undefined || _tag === "Gap" || kinds.includes(_tag))
        )
    })
  })
)

/** Effect RPC over WebSocket at `/rpc`, as JSON. */
export const layer = RpcServer.layer(RpcApi).pipe(
  Layer.provide([handlers, authentication, RpcProtocol.layer.pipe(Layer.provide(RpcConnections.layer))]),
  Layer.provide(Layer.succeed(RpcSerialization.RpcSerialization, checkedJson))
)
