import { Context, Effect, Layer, Schema } from "effect"
import { SqlClient } from "effect/sql"
import { repeatable, transaction } from "../database/DatabaseRetry.ts"
import { Caller } from "../domain/Caller.ts"
import { TaskId } from "../domain/Task.ts"
import { type DatabaseUnavailable, DesktopHeld } from "../domain/TaskErrors.ts"
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
              WHERE h."desktop" = ${desktop} AND t."control" = 'USER' AND NOT EXISTS (
                SELECT 1 FROM "TaskRun" r JOIN "Task" t ON t."id" = r."taskId"
                WHERE r."active" AND r."desktop" = h."desktop" AND r."taskId" <> h."taskId" AND t."control" = 'USER'
                  AND (t."userId" <> h."userId" OR coalesce(r."interruptedAt", r."createdAt") > h."since"))
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
 * Part of a statement that has taken a task over: `run` is its row of "TaskRun" now. The desktop's input goes to the task from now on, and a
 * row says so, unless another person holds the desktop: by the task that is active on it, or by one that waits. A finished task gives way, and
 * every other one to the task that is active on the desktop. Of two persons at once the first gets the desktop. Answers no row to the other.
 */
export const takeHold = (sql: SqlClient.SqlClient, userId: string | null, at: Date) => {
  const others = sql`"taskId" <> run."taskId" AND t."control" = 'USER'`
  return sql`
  INSERT INTO "DesktopHold" ("desktop", "taskId", "userId", "since")
  SELECT run."desktop", run."taskId", ${userId}, ${at} FROM run
  WHERE NOT EXISTS (
    SELECT 1 FROM "TaskRun" r JOIN "Task" t ON t."id" = r."taskId" LEFT JOIN "DesktopHold" h ON h."taskId" = t."id"
    WHERE r."active" AND r."desktop" = run."desktop" AND r.${others} AND coalesce(h."userId", t."userId") <> ${userId}
  ) AND NOT EXISTS (
    SELECT 1 FROM "DesktopHold" h JOIN "Task" t ON t."id" = h."taskId"
    WHERE h."desktop" = run."desktop" AND h.${others} AND h."userId" <> ${userId} AND t."status" NOT IN ('COMPLETED', 'FAILED', 'CANCELLED')
      AND NOT EXISTS (
        SELECT 1 FROM "TaskRun" r JOIN "Task" u ON u."id" = r."taskId"
        WHERE r."active" AND r."desktop" = run."desktop" AND r."taskId" <> h."taskId" AND (r."taskId" = run."taskId" OR u."control" = 'USER'))
  )
  ON CONFLICT ("desktop") DO UPDATE SET "taskId" = excluded."taskId", "userId" = excluded."userId", "since" = excluded."since"
    WHERE coalesce("DesktopHold"."userId" = excluded."userId", TRUE) OR EXISTS (
      SELECT 1 FROM "DesktopHold" seen WHERE seen."desktop" = excluded."desktop" AND seen."taskId" = "DesktopHold"."taskId")
  RETURNING "desktop"`
}

/** A takeover of the task that is undone where another person holds the desktop. Without accounts there is no other person. */
export const unlessHeld =
  (sql: SqlClient.SqlClient, id: TaskId) =>
  <A extends { readonly desktop: string | null; readonly isHeld: boolean }, E, R>(taken: Effect.Effect<A, E, R>) =>
    Effect.gen(function* () {
      if ((yield* Caller).userId === null) return yield* taken
      const checked = Effect.filterOrFail(
        taken,
        ({ desktop, isHeld }) => desktop === null || isHeld,
        () => new DesktopHeld({ id })
      )
      return yield* transaction(sql)(checked)
    })

/** Part of a statement after which no person controls the task that `moved` selects. */
export const releaseHold = (sql: SqlClient.SqlClient) => sql`
  DELETE FROM "DesktopHold" h USING moved WHERE h."taskId" = moved."id" RETURNING h."desktop"`
