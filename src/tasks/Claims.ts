import { Cause, DateTime, Duration, Effect, Option, Result, Schema } from "effect"
import { SqlClient, SqlError, type Statement } from "effect/sql"
import { Settings } from "../config/Settings.ts"
import { repeatable } from "../database/DatabaseRetry.ts"
import { isOutage } from "../database/SqlFailure.ts"
import { taskJson } from "../database/WireJson.ts"
import { Task, TaskId } from "../domain/Task.ts"
import { measure, metrics } from "../observability/Metrics.ts"
import { BrokenRuns } from "./BrokenRuns.ts"
import { nextDueFor } from "./DueTasks.ts"
import { type Lease, type Ownership, WorkerReplaced } from "./Lease.ts"
import { makeRefusedClaims } from "./RefusedClaims.ts"

/** A claimed task; a reply stored before `interruptedAt` (UTC) belongs to a run that was broken off, its open tools are not to be run. */
export interface Claim {
  readonly task: Task
  /** The task's owner; null: it has none. */
  readonly userId: string | null
  readonly lease: Lease
  /** Just before it was claimed (UTC). */
  readonly claimedAt: DateTime.Utc
  readonly interruptedAt: DateTime.Utc | null
  /** The task asks for this desktop by name. */
  readonly isBound: boolean
  /** The task has worked on another desktop before, and the model does not know yet that it had to leave. */
  readonly hasMoved: boolean
  /** How many of the task's files, oldest first, its desktop has. */
  readonly filesWritten: number
  /** Runs of the task in a row that broke off before this one. */
  readonly failures: number
  /** The request that set the task going, and the one that did so before, as W3C traceparent. */
  readonly traceparent: string | null
  readonly previousTraceparent: string | null
}

/** Claims of due tasks by the workers of desktops. */
export const makeClaims = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  const { desktops } = yield* Settings
  const broken = yield* BrokenRuns
  const refusals = yield* makeRefusedClaims

  /** Makes the worker of this replica the one that drives the desktop; earlier workers can claim nothing any more. */
  const own = Effect.fn("TaskRuns.own")(function* (desktop: string, replica: string) {
    const at = DateTime.toDateUtc(yield* DateTime.now)
    const rows = yield* sql`
      WITH before AS (SELECT "replica" FROM "DesktopOwner" WHERE "desktop" = ${desktop})
      INSERT INTO "DesktopOwner" ("desktop", "generation", "replica", "since") VALUES (${desktop}, 1, ${replica}, ${at})
      ON CONFLICT ("desktop") DO UPDATE SET "generation" = "DesktopOwner"."generation" + 1, "replica" = ${replica}, "since" = ${at}
      RETURNING "desktop", "generation", (SELECT "replica" FROM before) AS "previous"`
    return yield* decodeOwnership(rows[0])
  }, repeatable)

  /** One attempt to claim. None: nothing is due. "again": the claim was refused, or another desktop was quicker, and the next task may do. */
  const attempt = Effect.fnUntraced(function* (owner: Ownership) {
    const claimedAt = yield* DateTime.now
    const at = DateTime.toDateUtc(claimedAt)
    const passedOver = yield* refusals.passedOver
    const name = desktops.find(({ url }) => url === owner.desktop)?.name ?? owner.desktop
    const next = (isWanted: Statement.Fragment) =>
      nextDueFor(sql, { url: owner.desktop, name }, at, passedOver, isWanted)
    const [row] = yield* Effect.catchIf(
      claimNext(sql, owner, at, next(sql`EXISTS (SELECT 1 FROM owner)`)),
      (error) => SqlError.isSqlError(error) && !isOutage(error),
      (error) => Effect.as(refusals.record(next(sql.literal("TRUE")), error), [{ isTaken: true, epoch: null }])
    )
    if (row === undefined) return yield* new WorkerReplaced({ desktop: owner.desktop })
    if (row.isTaken === true) return "again"
    if (row.epoch === null) return Option.none()
    const { epoch, taskId } = yield* decodeClaimed(row)
    const lease: Lease = { taskId, desktop: owner.desktop, epoch }
    yield* refusals.forget(taskId)
    const decoded = yield* Effect.result(decodeClaim(row))
    if (Result.isFailure(decoded)) {
      yield* broken.record(lease, Cause.fail(decoded.failure))
      return "again"
    }
    return Option.some<Claim>({ lease, claimedAt, ...decoded.success })
  })

  /**
   * Makes the next due task the desktop's own and RUNNING (docs/contract/agent.md, "Pick"). None when nothing is due, or while another task
   * holds the desktop: one that needs help or that the user controls keeps it. A task whose row can't be read counts as a broken run, and
   * the next one is claimed.
   */
  const claim = Effect.fn("TaskRuns.claim")(function* (owner: Ownership) {
    for (;;) {
      const claimed = yield* attempt(owner)
      if (claimed === "again") continue
      if (Option.isNone(claimed)) return claimed
      const { claimedAt, lease, task } = claimed.value
      yield* Effect.annotateCurrentSpan({ "task.id": task.id, "task.epoch": lease.epoch })
      const due = DateTime.max(task.createdAt, task.scheduledFor ?? task.createdAt)
      const waited = Duration.toSeconds(DateTime.distance(due, claimedAt))
      if (lease.epoch === 1) yield* measure(metrics.queueWait, Math.max(0, waited))
      return claimed
    }
  }, repeatable)

  return { own, claim }
})

/**
 * Claims the task that `next` selects, if its row and that of its run stay as they were seen. No row: the worker was replaced. A scheduled task
 * may come due and be claimed before it was marked as queued; it is marked then, and the event of that precedes the event of the claim.
 */
const claimNext = (
  sql: SqlClient.SqlClient,
  { desktop, generation }: Ownership,
  at: Date,
  next: Statement.Fragment
) => sql`
  WITH owner AS (
    SELECT 1 FROM "DesktopOwner" WHERE "desktop" = ${desktop} AND "generation" = ${generation}
  ), next AS (${next}), run AS (
    INSERT INTO "TaskRun" ("taskId", "desktop", "epoch", "active", "createdAt", "updatedAt")
    SELECT next."id", ${desktop}, 1, TRUE, ${at}, ${at} FROM next
    ON CONFLICT ("taskId") DO UPDATE SET "desktop" = ${desktop}, "epoch" = "TaskRun"."epoch" + 1, "active" = TRUE, "updatedAt" = ${at},
      "movedFrom" = nullif("TaskRun"."movedFrom", ${desktop})
    WHERE "TaskRun"."desktop" = ${desktop} OR ("TaskRun"."movedFrom" IS NOT NULL AND NOT "TaskRun"."active")
    RETURNING "taskId", "epoch", "interruptedAt", "failures", "movedFrom" IS NOT NULL AS "hasMoved",
      CASE WHEN "filesOn" = "desktop" THEN "filesWritten" ELSE 0 END AS "filesWritten"
  ), queued AS (
    SELECT n.*, ${at}::timestamptz AS "at" FROM next n JOIN run ON run."taskId" = n."id"
    WHERE n."status" = 'PENDING' AND n."scheduledFor" IS NOT NULL AND n."queuedAt" IS NULL
  ), task AS (
    UPDATE "Task" task SET "status" = 'RUNNING', "error" = CASE WHEN task."status" = 'RUNNING' THEN task."error" END, "queuedAt" = coalesce((SELECT "at" FROM queued), task."queuedAt"), "executedAt" = ${at}, "updatedAt" = ${at}
    FROM run WHERE task."id" = run."taskId" RETURNING task.*
  ), event AS (
    INSERT INTO "TaskEvent" ("taskId", "kind", "payload", "createdAt")
    SELECT event."taskId", 'task_updated', event."payload", ${at} FROM (
      SELECT 1 AS "place", queued."id" AS "taskId", ${sql.literal(taskJson("queued", { queuedAt: `queued."at"`, updatedAt: `queued."at"` }))} AS "payload" FROM queued
      UNION ALL SELECT 2, task."id", ${sql.literal(taskJson("task"))} FROM task
    ) event ORDER BY event."place"
  )
  SELECT ${sql.literal(taskJson("task"))} AS task, task."userId", run."taskId", run."epoch", run."interruptedAt", run."failures", run."filesWritten", run."hasMoved",
    next."isBound", next."id" IS NOT NULL AND run."epoch" IS NULL AS "isTaken", trace."traceparent", trace."previous" AS "previousTraceparent"
  FROM owner LEFT JOIN next ON TRUE LEFT JOIN (task CROSS JOIN run) ON TRUE LEFT JOIN "TaskTrace" trace ON trace."taskId" = task."id"`

const decodeOwnership = Schema.decodeUnknownEffect(
  Schema.Struct({ desktop: Schema.String, generation: Schema.Int, previous: Schema.NullOr(Schema.String) })
)
const decodeClaimed = Schema.decodeUnknownEffect(Schema.Struct({ taskId: TaskId, epoch: Schema.Int }))
const decodeClaim = Schema.decodeUnknownEffect(
  Schema.Struct({
    task: Task,
    userId: Schema.NullOr(Schema.String),
    interruptedAt: Schema.NullOr(Schema.DateTimeUtcFromDate),
    isBound: Schema.Boolean,
    hasMoved: Schema.Boolean,
    filesWritten: Schema.Int,
    failures: Schema.Int,
    traceparent: Schema.NullOr(Schema.String),
    previousTraceparent: Schema.NullOr(Schema.String)
  })
)
