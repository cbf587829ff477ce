import { Schema } from "effect"
import { Rpc, RpcGroup, RpcMiddleware } from "effect/rpc"
import { Forbidden, Unauthorized } from "../domain/AccountErrors.ts"
import type { Caller } from "../domain/Caller.ts"
import { DesktopStatus } from "../domain/Desktop.ts"
import { ServiceBusy, TooManyOpen, TooManyRequests } from "../domain/LimitErrors.ts"
import { Message } from "../domain/Message.ts"
import { Model } from "../domain/Model.ts"
import { TaskUsage } from "../domain/ModelCall.ts"
import { Task, TaskStatus, TaskWithFiles } from "../domain/Task.ts"
import {
  DatabaseUnavailable,
  DesktopHeld,
  InvalidRequest,
  ModelsUnavailable,
  NoModelConfigured,
  TaskAlreadyFinished,
  TaskNotFound,
  TaskNotUnderAgentControl,
  TaskNotUnderUserControl
} from "../domain/TaskErrors.ts"
import { SubscriberTooSlow, WatchedEvent } from "../domain/WatchedEvent.ts"
import { NewTaskPayload } from "./NewTaskPayload.ts"
import { NonEmptyText, TaskIdText, Text } from "./RequestFields.ts"

/**
 * Who asks, as for REST: by the headers of the request that opened the socket, to which a message may add a bearer token (`authorization`)
 * and nothing else. Limits hold before a call is looked at.
 */
export class RpcAuthentication extends RpcMiddleware.Service<RpcAuthentication, { provides: Caller }>()(
  "bytebot/api/RpcAuthentication",
  {
    error: Schema.Union([Unauthorized, Forbidden, TooManyRequests, TooManyOpen, DatabaseUnavailable]),
    requiredForClient: true
  }
) {}

const task = { id: TaskIdText }
const page = {
  page: Schema.optionalKey(Schema.Int.check(Schema.isGreaterThan(0))),
  limit: Schema.optionalKey(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 10_000 })))
}
/** A position of an earlier event; "0": the oldest that is kept. Without it the stream begins with the next event. */
const after = { after: Schema.optionalKey(Text) }
/** false: without `MessageDelta`, the pieces of messages that models are writing. */
const deltas = { deltas: Schema.optionalKey(Schema.Boolean) }

/** The operations of REST, and events as streams: what was missed first, then what happens, without a gap and each once. */
export class RpcApi extends RpcGroup.make(
  Rpc.make("CreateTask", {
    payload: NewTaskPayload,
    success: Task,
    error: Schema.Union([InvalidRequest, NoModelConfigured, ModelsUnavailable, DatabaseUnavailable])
  }),
  Rpc.make("GetTask", {
    payload: task,
    success: TaskWithFiles,
    error: Schema.Union([TaskNotFound, ServiceBusy, DatabaseUnavailable])
  }),
  Rpc.make("ListTasks", {
    payload: { ...page, statuses: Schema.optionalKey(Schema.Array(TaskStatus)) },
    success: Schema.Struct({ tasks: Schema.Array(Task), total: Schema.Int }),
    error: Schema.Union([ServiceBusy, DatabaseUnavailable])
  }),
  Rpc.make("DeleteTask", { payload: task, error: Schema.Union([TaskNotFound, DatabaseUnavailable]) }),
  Rpc.make("TakeOverTask", {
    payload: task,
    success: Task,
    error: Schema.Union([TaskNotFound, TaskNotUnderAgentControl, DesktopHeld, DatabaseUnavailable])
  }),
  Rpc.make("ResumeTask", {
    payload: task,
    success: Task,
    error: Schema.Union([TaskNotFound, TaskNotUnderUserControl, DatabaseUnavailable])
  }),
  Rpc.make("CancelTask", {
    payload: task,
    success: Task,
    error: Schema.Union([TaskNotFound, TaskAlreadyFinished, DatabaseUnavailable])
  }),
  Rpc.make("GetUsage", { payload: task, success: TaskUsage, error: Schema.Union([TaskNotFound, DatabaseUnavailable]) }),
  Rpc.make("AddMessage", {
    payload: { ...task, message: NonEmptyText },
    success: TaskWithFiles,
    error: Schema.Union([TaskNotFound, ServiceBusy, DatabaseUnavailable])
  }),
  Rpc.make("ListMessages", {
    payload: { ...task, ...page },
    success: Schema.Array(Message),
    error: Schema.Union([ServiceBusy, DatabaseUnavailable])
  }),
  Rpc.make("ListModels", { success: Schema.Array(Model), error: ModelsUnavailable }),
  Rpc.make("ListDesktops", { success: Schema.Array(DesktopStatus), error: DatabaseUnavailable }),
  Rpc.make("WatchTask", {
    payload: { ...task, ...after, ...deltas },
    success: WatchedEvent,
    error: Schema.Union([TaskNotFound, InvalidRequest, SubscriberTooSlow, DatabaseUnavailable]),
    stream: true
  }),
  Rpc.make("WatchTasks", {
    payload: {
      ...after,
      ...deltas,
      kinds: Schema.optionalKey(
        Schema.Array(Schema.Literals(["TaskCreated", "TaskUpdated", "NewMessage", "MessageDelta", "TaskDeleted"]))
      )
    },
    success: WatchedEvent,
    error: Schema.Union([TaskNotFound, InvalidRequest, SubscriberTooSlow, DatabaseUnavailable]),
    stream: true
  })
).middleware(RpcAuthentication) {}
