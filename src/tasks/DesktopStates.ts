import { Context, DateTime, Duration, Effect, Layer, Option, Schema } from "effect"
import { SqlClient } from "effect/sql"
import { withoutCredentials } from "../config/Credentials.ts"
import { Settings } from "../config/Settings.ts"
import { repeatable } from "../database/DatabaseRetry.ts"
import { Caller } from "../domain/Caller.ts"
import type { DesktopStatus } from "../domain/Desktop.ts"
import { Role, TaskId } from "../domain/Task.ts"
import type { DatabaseUnavailable } from "../domain/TaskErrors.ts"
import { isDueFor } from "./DueTasks.ts"
import type { Ownership } from "./Lease.ts"
import { taskUpdated } from "./TaskRow.ts"
import { visibleTo } from "./Visibility.ts"

/** How often a worker says how its desktop is, other than at once when that changes. */
export const reportInterval = Duration.seconds(15)

/** A worker that says nothing for so long is gone. */
const silentFor = Duration.times(reportInterval, 4)

/** What `error` says of a task that has not begun. */
const waitingFor = (name: string) => `Waiting for the desktop: ${name} does not answer`
const waitingForAny = "Waiting for a desktop: none answers"

/** The desktops of the settings, and how they are. */
export class DesktopStates extends Context.Service<
  DesktopStates,
  {
    /** In the order of the settings; a task that is not the caller's has no id. */
    readonly list: Effect.Effect<ReadonlyArray<DesktopStatus>, DatabaseUnavailable, Caller>
    /**
     * Says how the desktop is, also in `error` of the PENDING tasks that wait because no desktop that may run them answers. Nothing happens
     * when another worker drives it now.
     */
    readonly report: (
      owner: Ownership,
      contact: { readonly seenAt: DateTime.Utc | null; readonly unreachableSince: DateTime.Utc | null }
    ) => Effect.Effect<void, DatabaseUnavailable>
    /** URL of one of the desktops that answer, hold no task, and could run one that is due. */
    readonly idleWithWork: Effect.Effect<Option.Option<string>, DatabaseUnavailable>
    /** URLs of the desktops whose workers may have something to do, or may be gone. */
    readonly toBeChecked: Effect.Effect<ReadonlyArray<string>, DatabaseUnavailable>
  }
>()("bytebot/DesktopStates") {
  static readonly layer = Layer.effect(
    DesktopStates,
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const { desktops } = yield* Settings
      const configured = sql`json_to_recordset(${JSON.stringify(desktops)}::json) AS d("name" text, "url" text)`
      const holder = sql.literal(`"TaskRun" held ON held."active" AND held."desktop" = d."url"`)
      const hasWork = (at: Date) => sql`EXISTS (
        SELECT 1 FROM "Task" t WHERE ${isDueFor(sql, { url: sql.literal(`d."url"`), name: sql.literal(`d."name"`) }, at)})`

      const list = Effect.gen(function* () {
        if (desktops.length === 0) return []
        const now = yield* DateTime.now
        const heard = DateTime.toDateUtc(DateTime.subtractDuration(now, silentFor))
        const rows = yield* sql`
          SELECT d."url", o."lastSeenAt", o."unreachableSince", held."taskId", t."control", coalesce(${visibleTo(sql, yield* Caller, "t")}, FALSE) AS visible,
            CASE WHEN o."updatedAt" > ${heard} THEN o."replica" END AS owner
          FROM ${configured} LEFT JOIN "DesktopOwner" o ON o."desktop" = d."url" LEFT JOIN ${holder} LEFT JOIN "Task" t ON t."id" = held."taskId"`
        const known = new Map((yield* decodeRows(rows)).map((row) => [row.url, row]))
        return desktops.map(({ name, url }): DesktopStatus => {
          const row = known.get(url)
          const { lastSeenAt = null, owner = null } = row ?? {}
          const taskId = row?.visible === true ? row.taskId : null
          return { name, url: withoutCredentials(url), state: stateOf(row), taskId, owner, lastSeenAt }
        })
      }).pipe(repeatable, Effect.withSpan("DesktopStates.list"))

      /** Tasks that this desktop could run, and none that answers. */
      const tellWaiting = (desktop: { readonly url: string; readonly name: string }, at: Date) => sql`
        WITH task AS (
          UPDATE "Task" t SET "updatedAt" = ${at}, "error" = CASE
            WHEN ${desktops.length === 1}::boolean OR EXISTS (SELECT 1 FROM "TaskDesktop" w WHERE w."taskId" = t."id")
            THEN ${waitingFor(desktop.name)} ELSE ${waitingForAny} END
          WHERE t."status" = 'PENDING' AND t."error" IS NULL AND ${isDueFor(sql, desktop, at)} AND NOT EXISTS (
            SELECT 1 FROM ${configured} LEFT JOIN "DesktopOwner" o ON o."desktop" = d."url" WHERE o."unreachableSince" IS NULL
              AND coalesce((SELECT w."desktop" = d."name" FROM "TaskDesktop" w WHERE w."taskId" = t."id"), TRUE))
          RETURNING *
        ), event AS (${taskUpdated(sql, at)})
        SELECT 1 FROM task`

      const tellNoLonger = (name: string, at: Date) => sql`
        WITH task AS (
          UPDATE "Task" t SET "updatedAt" = ${at}, "error" = NULL
          WHERE t."status" = 'PENDING' AND (
            t."error" = ${waitingFor(name)} OR t."error" = ${waitingForAny})
          RETURNING *
        ), event AS (${taskUpdated(sql, at)})
        SELECT 1 FROM task`

      const report = Effect.fn("DesktopStates.report")(function* (
        { desktop, generation }: Ownership,
        {
          seenAt,
          unreachableSince
        }: { readonly seenAt: DateTime.Utc | null; readonly unreachableSince: DateTime.Utc | null }
      ) {
        const at = DateTime.toDateUtc(yield* DateTime.now)
        const seen = seenAt === null ? null : DateTime.toDateUtc(seenAt)
        const since = unreachableSince === null ? null : DateTime.toDateUtc(unreachableSince)
        const rows = yield* sql`
          WITH old AS (SELECT "unreachableSince" FROM "DesktopOwner" WHERE "desktop" = ${desktop} AND "generation" = ${generation})
          UPDATE "DesktopOwner" SET "lastSeenAt" = coalesce(${seen}::timestamptz, "lastSeenAt"), "unreachableSince" = ${since}, "updatedAt" = ${at}
          FROM old WHERE "desktop" = ${desktop} AND "generation" = ${generation} RETURNING old."unreachableSince" AS "before"`
        if (rows.length === 0) return
        const { name = "it" } = desktops.find(({ url }) => url === desktop) ?? {}
        if (since !== null) yield* tellWaiting({ url: desktop, name }, at)
        else if (rows[0]?.before !== null) yield* tellNoLonger(name, at)
      }, repeatable)

      const idleWithWork = Effect.gen(function* () {
        const at = DateTime.toDateUtc(yield* DateTime.now)
        const rows = yield* sql`
          SELECT d."url" FROM ${configured} LEFT JOIN "DesktopOwner" o ON o."desktop" = d."url" LEFT JOIN ${holder}
          WHERE o."unreachableSince" IS NULL AND held."taskId" IS NULL AND ${hasWork(at)} ORDER BY random() LIMIT 1`
        return Option.map(Option.fromNullishOr((yield* decodeUrls(rows))[0]), ({ url }) => url)
      }).pipe(repeatable, Effect.withSpan("DesktopStates.idleWithWork"))

      const toBeChecked = Effect.gen(function* () {
        if (desktops.length === 0) return []
        const now = yield* DateTime.now
        const heard = DateTime.toDateUtc(DateTime.subtractDuration(now, silentFor))
        const rows = yield* sql`
          SELECT d."url" FROM ${configured} LEFT JOIN "DesktopOwner" o ON o."desktop" = d."url" LEFT JOIN ${holder}
          WHERE o."updatedAt" IS NULL OR o."updatedAt" < ${heard} OR held."taskId" IS NOT NULL
            OR EXISTS (SELECT 1 FROM "DesktopHold" h WHERE h."desktop" = d."url") OR (o."unreachableSince" IS NULL AND ${hasWork(DateTime.toDateUtc(now))})`
        return (yield* decodeUrls(rows)).map(({ url }) => url)
      }).pipe(repeatable, Effect.withSpan("DesktopStates.toBeChecked"))

      return DesktopStates.of({ list, report, idleWithWork, toBeChecked })
    })
  )
}

const Row = Schema.Struct({
  url: Schema.String,
  lastSeenAt: Schema.NullOr(Schema.DateTimeUtcFromDate),
  unreachableSince: Schema.NullOr(Schema.DateTimeUtcFromDate),
  taskId: Schema.NullOr(TaskId),
  control: Schema.NullOr(Role),
  visible: Schema.Boolean,
  owner: Schema.NullOr(Schema.String)
})
const decodeRows = Schema.decodeUnknownEffect(Schema.Array(Row))
const decodeUrls = Schema.decodeUnknownEffect(Schema.Array(Schema.Struct({ url: Schema.String })))

const stateOf = (row: typeof Row.Type | undefined): DesktopStatus["state"] => {
  if (row === undefined || row.owner === null) return "unknown"
  if (row.unreachableSince !== null) return "unreachable"
  if (row.taskId !== null) return row.control === "USER" ? "user" : "busy"
  return row.lastSeenAt === null ? "unknown" : "idle"
}
