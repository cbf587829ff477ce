import { Context, DateTime, Effect, Layer, Schema } from "effect"
import { SqlClient } from "effect/sql"
import { Settings } from "../config/Settings.ts"
import { repeatable, transaction } from "../database/DatabaseRetry.ts"
import { Caller } from "../domain/Caller.ts"
import { TaskId } from "../domain/Task.ts"
import { type DatabaseUnavailable, DesktopHeld } from "../domain/TaskErrors.ts"
import type { Lease } from "./Lease.ts"
import { taskUpdated } from "./TaskRow.ts"

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
  /** Tasks whose `error` does not say yet that input is not stored in them, or still says so. */
  readonly toBeTold: ReadonlyArray<{ readonly taskId: TaskId; readonly isStored: boolean }>
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
    /** Says in the `error` of the tasks whether what a person does on the desktop is stored in them. */
    readonly tell: (tasks: DesktopFacts["toBeTold"]) => Effect.Effect<void, DatabaseUnavailable>
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
              SELECT t."id" AS "taskId", ${person('t."userId"')} AS "ownerId", ${person('coalesce(h."userId", t."userId")')} AS "userId",
                h."taskId" IS NOT NULL AS "isLatest", r."active" AS "isActive", NOT ${unfinished(sql)} AS "isFinished",
                coalesce(h."since", r."interruptedAt", r."createdAt") AS "since", t."error" IS NOT DISTINCT FROM ${notStored} AS "isTold"
              FROM (
                SELECT "taskId" FROM "DesktopHold" WHERE "desktop" = ${desktop}
                UNION SELECT t."id" FROM "Task" t WHERE t."control" = 'USER' AND ${unfinished(sql)}
              ) c JOIN "Task" t ON t."id" = c."taskId" JOIN "TaskRun" r ON r."taskId" = t."id"
              LEFT JOIN "DesktopHold" h ON h."taskId" = t."id" AND h."desktop" = r."desktop"
              WHERE t."control" = 'USER' AND r."desktop" = ${desktop}
            ) control ON TRUE`
          const facts = yield* decodeFacts(rows)
          const { isHandedBack: handedBack = false, isOwned: owned = false } = facts[0] ?? {}
          const controls = facts.filter(isControl)
          const held = heldOf(controls)
          return {
            held: held && { taskId: held.taskId, userId: held.userId, isExclusive: held.isActive },
            toBeTold: toldOf(controls, held),
            isOwned: owned,
            isHandedBack: handedBack
          }
        }, repeatable),
        tell: Effect.fn("DesktopHolds.tell")(function* (tasks) {
          if (tasks.length === 0) return
          const at = DateTime.toDateUtc(yield* DateTime.now)
          yield* sql`
            WITH told AS (SELECT * FROM json_to_recordset(${JSON.stringify(tasks)}::json) AS x("taskId" text, "isStored" boolean)), task AS (
              UPDATE "Task" task SET "error" = CASE WHEN told."isStored" THEN NULL ELSE ${notStored} END, "updatedAt" = ${at}
              FROM told WHERE task."id" = told."taskId" AND task."control" = 'USER'
                AND task."error" IS NOT DISTINCT FROM CASE WHEN told."isStored" THEN ${notStored} END RETURNING task.*
            ), event AS (${taskUpdated(sql, at)})
            SELECT 1 FROM task`
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
  /** Whether its `error` says that input is not stored. */
  isTold: Schema.Boolean,
  since: Schema.DateTimeUtcFromDate
})
type Control = typeof Control.Type
const isControl = Schema.is(Schema.toType(Control))
const decodeFacts = Schema.decodeUnknownEffect(
  Schema.Array(Schema.Union([Control, Schema.Struct({ ...facts, taskId: Schema.Null })]))
)

const isSamePerson = (one: Control, other: Control): boolean =>
  one.userId === other.userId || one.ownerId === other.ownerId

/**
 * The task that was taken over last, or the active one of another person if the former is finished. None while two persons control
 * unfinished tasks of the desktop: it is not known which of them types.
 */
const heldOf = (controls: ReadonlyArray<Control>): Control | undefined => {
  const latest = controls.find(({ isLatest }) => isLatest)
  const active = controls.find(({ isActive }) => isActive)
  const isDisplaced =
    latest !== undefined &&
    active !== undefined &&
    (!isSamePerson(latest, active) || DateTime.isGreaterThan(active.since, latest.since))
  const held = isDisplaced ? active : (latest ?? active)
  if (held === undefined) return undefined
  const isDisputed = controls.some((one) => one !== held && !one.isFinished && !isSamePerson(one, held))
  return isDisputed ? undefined : held
}

/** The tasks that have to say in their `error` that another person keeps their input from being stored, or no longer. */
const toldOf = (controls: ReadonlyArray<Control>, held: Control | undefined): DesktopFacts["toBeTold"] =>
  controls.flatMap((one) => {
    const isStored =
      one === held || !controls.some((other) => (other === held || !other.isFinished) && !isSamePerson(one, other))
    return isStored === one.isTold ? [{ taskId: one.taskId, isStored }] : []
  })

/** Whether the task `t` is not finished; the condition of "Task_controlled_idx". */
const unfinished = (sql: SqlClient.SqlClient) =>
  sql.literal(`t."status" IN ('PENDING', 'RUNNING', 'NEEDS_HELP', 'NEEDS_REVIEW')`)

const notStored =
  "What is done on the desktop is not stored in this task while another person controls a task of the same desktop"

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
    WHERE t."control" = 'USER' AND ${unfinished(sql)} AND r."desktop" = run."desktop" AND t."id" <> run."taskId"
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
