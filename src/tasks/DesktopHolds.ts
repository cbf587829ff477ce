import { Context, DateTime, Effect, Layer, Schema } from "effect"
import { SqlClient } from "effect/sql"
import { Settings } from "../config/Settings.ts"
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
  static readonly layer: Layer.Layer<DesktopHolds, never, SqlClient.SqlClient | Settings> = Layer.effect(
    DesktopHolds,
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const { authEnabled } = yield* Settings
      /** Without accounts all is done by one person, also with tasks that still have an owner. */
      const person = (column: string) => sql.literal(authEnabled ? column : "NULL")
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
            SELECT control.*, ${isOwned} AS "isOwned", ${isHandedBack} AS "isHandedBack" FROM (VALUES (1)) AS one LEFT JOIN (
              SELECT t."id" AS "taskId", ${person('t."userId"')} AS "ownerId", ${person('coalesce(h."userId", t."userId")')} AS "userId", h."taskId" IS NOT NULL AS "isLatest",
                r."active" AS "isActive", t."status" IN ${finished(sql)} AS "isFinished", coalesce(h."since", r."interruptedAt", r."createdAt") AS "since"
              FROM "Task" t JOIN "TaskRun" r ON r."taskId" = t."id" LEFT JOIN "DesktopHold" h ON h."taskId" = t."id" AND h."desktop" = r."desktop"
              WHERE t."control" = 'USER' AND r."desktop" = ${desktop} AND (h."taskId" IS NOT NULL OR t."status" NOT IN ${finished(sql)})
            ) control ON TRUE`
          const facts = yield* decodeFacts(rows)
          const { isHandedBack: handedBack = false, isOwned: owned = false } = facts[0] ?? {}
          return { held: holdOf(facts.filter(isControl)), isOwned: owned, isHandedBack: handedBack }
        }, repeatable)
      })
    })
  )
}

const facts = { isOwned: Schema.Boolean, isHandedBack: Schema.Boolean }
/** A task that a person controls, and that has a run on the desktop: one that is not finished, or the one of the row of "DesktopHold". */
const Control = Schema.Struct({
  ...facts,
  taskId: TaskId,
  ownerId: Schema.NullOr(Schema.String),
  /** Who took it over last, as far as that is known; else its owner. */
  userId: Schema.NullOr(Schema.String),
  isLatest: Schema.Boolean,
  isActive: Schema.Boolean,
  isFinished: Schema.Boolean,
  since: Schema.DateTimeUtcFromDate
})
const isControl = Schema.is(Schema.toType(Control))
const decodeFacts = Schema.decodeUnknownEffect(
  Schema.Array(Schema.Union([Control, Schema.Struct({ ...facts, taskId: Schema.Null })]))
)

const isSamePerson = (one: typeof Control.Type, other: typeof Control.Type): boolean =>
  one.userId === other.userId || one.ownerId === other.ownerId

/**
 * The task that was taken over last, or the active one of another person if the former is finished. None while two persons control
 * unfinished tasks of the desktop: it is not known which of them types.
 */
const holdOf = (controls: ReadonlyArray<typeof Control.Type>): Hold | undefined => {
  const latest = controls.find(({ isLatest }) => isLatest)
  const active = controls.find(({ isActive }) => isActive)
  const isDisplaced =
    latest !== undefined &&
    active !== undefined &&
    (!isSamePerson(latest, active) || DateTime.isGreaterThan(active.since, latest.since))
  const held = isDisplaced ? active : (latest ?? active)
  if (held === undefined) return undefined
  const isDisputed = controls.some((one) => one !== held && !one.isFinished && !isSamePerson(one, held))
  return isDisputed ? undefined : { taskId: held.taskId, userId: held.userId, isExclusive: held.isActive }
}

const finished = (sql: SqlClient.SqlClient) => sql.literal("('COMPLETED', 'FAILED', 'CANCELLED')")

/**
 * Part of a statement that has taken a task over: `run` is its row of "TaskRun" now. The desktop's input goes to the task from now on, and a
 * row says so, unless another person controls a task of the desktop that is not finished. Of two persons at once the first gets the
 * desktop. Answers no row to the other.
 */
export const takeHold = (sql: SqlClient.SqlClient, userId: string | null, at: Date) => sql`
  INSERT INTO "DesktopHold" ("desktop", "taskId", "userId", "since")
  SELECT run."desktop", run."taskId", ${userId}, ${at} FROM run
  WHERE ${userId}::text IS NULL OR NOT EXISTS (
    SELECT 1 FROM "Task" t JOIN "TaskRun" r ON r."taskId" = t."id" LEFT JOIN "DesktopHold" h ON h."taskId" = t."id" AND h."desktop" = r."desktop"
    WHERE t."control" = 'USER' AND t."status" NOT IN ${finished(sql)} AND r."desktop" = run."desktop" AND t."id" <> run."taskId"
      AND coalesce(h."userId", t."userId") IS DISTINCT FROM ${userId}
  )
  ON CONFLICT ("desktop") DO UPDATE SET "taskId" = excluded."taskId", "userId" = excluded."userId", "since" = excluded."since"
    WHERE coalesce("DesktopHold"."userId" = excluded."userId", TRUE) OR EXISTS (
      SELECT 1 FROM "DesktopHold" seen WHERE seen."desktop" = excluded."desktop" AND seen."taskId" = "DesktopHold"."taskId")
  RETURNING "desktop"`

/**
 * A takeover of the task that is undone where another person holds the desktop, unless it stops the agent on it: a person can always stop the
 * own agent, but nothing is captured until the other person has handed back. Without accounts there is no other person.
 */
export const unlessHeld =
  (sql: SqlClient.SqlClient, id: TaskId) =>
  <A extends { readonly desktop: string | null; readonly isActive: boolean; readonly isHeld: boolean }, E, R>(
    taken: Effect.Effect<A, E, R>
  ) =>
    Effect.gen(function* () {
      if ((yield* Caller).userId === null) return yield* taken
      const checked = Effect.filterOrFail(
        taken,
        ({ desktop, isActive, isHeld }) => desktop === null || isActive || isHeld,
        () => new DesktopHeld({ id })
      )
      return yield* transaction(sql)(checked)
    })

/** Part of a statement after which no person controls the task that `moved` selects. */
export const releaseHold = (sql: SqlClient.SqlClient) => sql`
  DELETE FROM "DesktopHold" h USING moved WHERE h."taskId" = moved."id" RETURNING h."desktop"`
