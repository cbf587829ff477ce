import { DateTime, Duration, Effect } from "effect"
import { SqlClient, type Statement } from "effect/sql"
import { Settings } from "../config/Settings.ts"
import { repeatable } from "../database/DatabaseRetry.ts"
import type { Ownership } from "./Lease.ts"
import { taskUpdated } from "./TaskRow.ts"

/** A desktop that is not in the settings may still be in those of a replica that was not restarted yet; its worker reports then. */
const removedAfter = Duration.minutes(1)

/** Departures of tasks from desktops that do not answer or are not configured any more. */
export const makeDepartures = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  const { desktops } = yield* Settings

  /** Ends the runs of the tasks that `chosen` selects, by id and locked; another desktop may go on with them. */
  const free = (chosen: Statement.Fragment, problem: string, at: Date) => sql`
    WITH own AS (${chosen}), run AS (
      UPDATE "TaskRun" run SET "active" = FALSE, "movedFrom" = coalesce(run."movedFrom", run."desktop"), "epoch" = run."epoch" + 1,
        "interruptedAt" = ${at}, "updatedAt" = ${at}
      FROM own WHERE run."taskId" = own."id" RETURNING run."taskId"
    ), task AS (
      UPDATE "Task" task SET "error" = ${problem}, "updatedAt" = ${at}
      FROM run WHERE task."id" = run."taskId" AND task."status" = 'RUNNING' RETURNING task.*
    ), event AS (${taskUpdated(sql, at)})
    SELECT 1 FROM run`

  /**
   * Frees the tasks of the worker's desktop, which does not answer: those under the agent's control that do not ask for this desktop.
   * True when there were any.
   */
  const leave = Effect.fn("TaskRuns.leave")(function* ({ desktop, generation }: Ownership) {
    const at = DateTime.toDateUtc(yield* DateTime.now)
    const name = desktops.find(({ url }) => url === desktop)?.name ?? desktop
    const movable = sql`
      SELECT t."id" FROM "Task" t JOIN "TaskRun" r ON r."taskId" = t."id"
      WHERE t."status" = 'RUNNING' AND t."control" = 'ASSISTANT' AND r."desktop" = ${desktop} AND (r."active" OR r."movedFrom" IS NULL)
        AND NOT EXISTS (SELECT 1 FROM "TaskDesktop" w WHERE w."taskId" = t."id")
        AND EXISTS (SELECT 1 FROM "DesktopOwner" o WHERE o."desktop" = ${desktop} AND o."generation" = ${generation})
      FOR NO KEY UPDATE OF t, r`
    return (yield* free(movable, `Waiting for another desktop: ${name} does not answer`, at)).length > 0
  }, repeatable)

  /** Frees the tasks of desktops that are in no replica's settings any more. */
  const leaveRemoved = Effect.gen(function* () {
    if (desktops.length === 0) return
    const now = yield* DateTime.now
    const urls = JSON.stringify(desktops.map(({ url }) => url))
    const heard = DateTime.toDateUtc(DateTime.subtractDuration(now, removedAfter))
    const stranded = sql`
      SELECT t."id" FROM "Task" t JOIN "TaskRun" r ON r."taskId" = t."id"
      WHERE (r."active" OR (r."movedFrom" IS NULL AND t."status" = 'RUNNING'))
        AND t."id" IN (SELECT "id" FROM "Task" WHERE "status" = 'RUNNING' UNION ALL SELECT "taskId" FROM "TaskRun" WHERE "active")
        AND r."desktop" NOT IN (SELECT json_array_elements_text(${urls}::json))
        AND NOT EXISTS (SELECT 1 FROM "DesktopOwner" o WHERE o."desktop" = r."desktop" AND o."updatedAt" > ${heard})
      FOR NO KEY UPDATE OF t, r`
    const problem = "Waiting for another desktop: the one of this task is not configured any more"
    yield* free(stranded, problem, DateTime.toDateUtc(now))
  }).pipe(repeatable, Effect.withSpan("TaskRuns.leaveRemoved"))

  return { leave, leaveRemoved }
})
