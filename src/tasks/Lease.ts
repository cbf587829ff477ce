import { Schema } from "effect"
import type { SqlClient } from "effect/sql"
import { withoutCredentials } from "../config/Credentials.ts"
import type { TaskId } from "../domain/Task.ts"

/**
 * The right to drive a task on a desktop. Every claim, takeover, resume and cancel raises the task's epoch, a fencing
 * token: with an older one a run can neither write for the task nor act on the desktop.
 */
export interface Lease {
  readonly taskId: TaskId
  readonly desktop: string
  readonly epoch: number
}

/** The task moved on without this run: it was taken over, ended, deleted, or claimed by another worker. */
export class LeaseLost extends Schema.TaggedError<LeaseLost>()("LeaseLost", { taskId: Schema.String }) {
  override get message(): string {
    return `The run of task ${this.taskId} does not own it any more`
  }
}

/** The id and the effort of a task as long as the lease owns it: `owned` locks the task for the rest of the transaction, `seenOwned` only looks. */
export const ownedTask = (sql: SqlClient.SqlClient) => {
  const seenOwned = (lease: Lease) => sql`
    SELECT t."id", t."effort" FROM "Task" t JOIN "TaskRun" r ON r."taskId" = t."id"
    WHERE t."id" = ${lease.taskId} AND r."epoch" = ${lease.epoch} AND t."status" = 'RUNNING' AND t."control" = 'ASSISTANT'`
  return { seenOwned, owned: (lease: Lease) => sql`${seenOwned(lease)} FOR NO KEY UPDATE OF t, r` }
}

/** A worker's right to claim tasks for a desktop, until another worker of that desktop owns it. */
export interface Ownership {
  readonly desktop: string
  readonly generation: number
}

/** Another worker drives the desktop now, on another replica or after this one had lost its locks. */
export class WorkerReplaced extends Schema.TaggedError<WorkerReplaced>()("WorkerReplaced", { desktop: Schema.String }) {
  override get message(): string {
    return `Another worker has taken over ${withoutCredentials(this.desktop)}`
  }
}
