import { Context, Effect, Layer, Schema } from "effect"
import { SqlClient } from "effect/sql"
import { repeatable } from "../database/DatabaseRetry.ts"
import { TaskId } from "../domain/Task.ts"
import type { DatabaseUnavailable } from "../domain/TaskErrors.ts"
import type { Lease } from "./Lease.ts"

/** A person controls the task on a desktop: what that person does there belongs to it. */
export interface Hold {
  readonly taskId: TaskId
  /** Null while accounts are off, and for tasks without an owner. */
  readonly userId: string | null
  /** No other task may run on the desktop meanwhile: the task has run there, and has not ended. */
  readonly isExclusive: boolean
}

/** What the database says about a desktop, in one snapshot. */
export interface DesktopFacts {
  readonly held: Hold | undefined
  /** Whether the lease that was asked about was not fenced off; true without a lease. */
  readonly isOwned: boolean
  /** Whether the agent controls the task that was asked about, which is RUNNING on this desktop. */
  readonly isHandedBack: boolean
}

/**
 * Who holds which desktop. The row of "DesktopHold" is written by the statement that takes a task over, and deleted by the one that ends
 * the person's control. A task that needs help has no row: it holds the desktop that it ran on, for its owner, unless a row says otherwise.
 */
export class DesktopHolds extends Context.Service<
  DesktopHolds,
  {
    readonly look: (
      desktop: string,
      about: { readonly lease?: Lease | undefined; readonly taskId?: TaskId | undefined }
    ) => Effect.Effect<DesktopFacts, DatabaseUnavailable>
  }
>()("bytebot/DesktopHolds") {
  static readonly layer: Layer.Layer<DesktopHolds, never, SqlClient.SqlClient> = Layer.effect(
    DesktopHolds,
    Effect.map(SqlClient.SqlClient, (sql) => {
      return DesktopHolds.of({
        look: Effect.fn("DesktopHolds.look")(function* (desktop, { lease, taskId }) {
          // By the epoch alone: a run that has just ended its task by itself may finish.
          const isOwned =
            lease === undefined
              ? sql.literal("TRUE")
              : sql`EXISTS (SELECT 1 FROM "TaskRun" r WHERE r."taskId" = ${lease.taskId} AND r."epoch" = ${lease.epoch})`
          const isHandedBack =
            taskId === undefined
              ? sql.literal("FALSE")
              : sql`EXISTS (SELECT 1 FROM "Task" t JOIN "TaskRun" r ON r."taskId" = t."id"
                  WHERE t."id" = ${taskId} AND r."desktop" = ${desktop} AND t."status" = 'RUNNING' AND t."control" = 'ASSISTANT')`
          const rows = yield* sql`
            SELECT held."taskId", held."userId", held."isExclusive", ${isOwned} AS "isOwned", ${isHandedBack} AS "isHandedBack"
            FROM (VALUES (1)) AS one LEFT JOIN (
              SELECT h."taskId", h."userId", coalesce(r."active", FALSE) AS "isExclusive", 1 AS rank
              FROM "DesktopHold" h JOIN "Task" t ON t."id" = h."taskId" LEFT JOIN "TaskRun" r ON r."taskId" = h."taskId" AND r."desktop" = h."desktop"
              WHERE h."desktop" = ${desktop} AND t."control" = 'USER'
              UNION ALL
              SELECT t."id", t."userId", TRUE, 2 FROM "TaskRun" r JOIN "Task" t ON t."id" = r."taskId"
              WHERE r."active" AND r."desktop" = ${desktop} AND t."control" = 'USER'
              ORDER BY rank LIMIT 1
            ) held ON TRUE`
          const { isHandedBack: handedBack, isOwned: owned, ...hold } = yield* decodeFacts(rows[0])
          return { held: isHold(hold) ? hold : undefined, isOwned: owned, isHandedBack: handedBack }
        }, repeatable)
      })
    })
  )
}

const decodeFacts = Schema.decodeUnknownEffect(
  Schema.Struct({
    taskId: Schema.NullOr(TaskId),
    userId: Schema.NullOr(Schema.String),
    isExclusive: Schema.NullOr(Schema.Boolean),
    isOwned: Schema.Boolean,
    isHandedBack: Schema.Boolean
  })
)
const isHold = Schema.is(
  Schema.Struct({ taskId: TaskId, userId: Schema.NullOr(Schema.String), isExclusive: Schema.Boolean })
)

/**
 * Part of a statement that has taken a task over: `run` is its row of "TaskRun" now. The desktop's input goes to the task from now on, unless
 * another person holds the desktop, by a row or by a task that needs that person's help.
 */
export const takeHold = (sql: SqlClient.SqlClient, userId: string | null, at: Date) => sql`
  INSERT INTO "DesktopHold" ("desktop", "taskId", "userId", "since")
  SELECT run."desktop", run."taskId", ${userId}, ${at} FROM run
  WHERE EXISTS (SELECT 1 FROM "DesktopHold" h WHERE h."desktop" = run."desktop") OR NOT EXISTS (
    SELECT 1 FROM "TaskRun" r JOIN "Task" t ON t."id" = r."taskId"
    WHERE r."active" AND r."desktop" = run."desktop" AND r."taskId" <> run."taskId" AND t."control" = 'USER' AND t."userId" <> ${userId})
  ON CONFLICT ("desktop") DO UPDATE SET "taskId" = excluded."taskId", "userId" = excluded."userId", "since" = excluded."since"
    WHERE coalesce("DesktopHold"."userId" = excluded."userId", TRUE)`

/** Part of a statement after which no person controls the task that `moved` selects. */
export const releaseHold = (sql: SqlClient.SqlClient) => sql`
  DELETE FROM "DesktopHold" h USING moved WHERE h."taskId" = moved."id"`
