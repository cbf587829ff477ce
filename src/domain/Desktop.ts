import { Schema } from "effect"
import { Instant, TaskId } from "./Task.ts"

/**
 * What a desktop is doing. `busy`: the agent works on it; `user`: it is kept for a task that its user controls; `unreachable`: it has
 * stopped answering; `unknown`: no worker has said anything about it for a minute.
 */
export const DesktopState = Schema.Literals(["idle", "busy", "user", "unreachable", "unknown"])

/** A desktop of the settings, and how it is. `owner` is the replica that drives it; `url` is without user and password. */
export const DesktopStatus = Schema.Struct({
  name: Schema.String,
  url: Schema.String,
  state: DesktopState,
  taskId: Schema.NullOr(TaskId),
  owner: Schema.NullOr(Schema.String),
  lastSeenAt: Schema.NullOr(Instant)
})
export interface DesktopStatus extends Schema.Schema.Type<typeof DesktopStatus> {}
