import type { PgClient } from "@effect/sql-pg"
import { DateTime, Effect, Schema, SchemaGetter } from "effect"
import { newMessageJson } from "../database/WireJson.ts"
import type { CallerIdentity } from "../domain/Caller.ts"
import { TaskEvent, TaskEventKind, TaskEventPointer } from "../domain/TaskEvent.ts"

/** The channel on which the table's trigger notifies of every committed row (migrations, "TaskEvent_notify"). */
export const channel = "bytebot_events"

/** A notification of no event in particular: some may have been missed, so look into the table. */
export const catchUp = "catch-up"

/** The pointer in a notification's payload; None for kinds that only a newer version knows. */
export const decodeNotification = Schema.decodeUnknownOption(Schema.fromJsonString(TaskEventPointer))

export type EventTable = ReturnType<typeof makeEventTable>

/** The statements on "TaskEvent". */
export const makeEventTable = (sql: PgClient.PgClient) => {
  const known = sql.literal(`"kind" IN (${TaskEventKind.literals.map((kind) => `'${kind}'`).join(", ")})`)
  const payload = sql.literal(`CASE WHEN e."kind" = 'new_message' THEN ${newMessageJson("m")} ELSE e."payload" END`)
  return {
    /** The events by id, in one statement; those that are gone, with their message or by the purge, are left out. */
    load: Effect.fn("EventTable.load")(function* (ids: ReadonlyArray<number>) {
      const rows = yield* sql`
        SELECT e."id", e."taskId", e."kind", coalesce(e."userId", t."userId") AS "userId", ${payload} AS payload
        FROM "TaskEvent" e LEFT JOIN "Message" m ON m."id" = e."messageId" LEFT JOIN "Task" t ON t."id" = e."taskId"
        WHERE e."id" = ANY(${`{${ids.join(",")}}`}::text::bigint[]) AND (e."kind" <> 'new_message' OR m."id" IS NOT NULL)`
      return new Map((yield* decodeEvents(rows)).map((event) => [event.id, event]))
    }),

    /** Pointers to all events above `id`, in one snapshot, by id: per task that is the order of the commits. */
    after: Effect.fn("EventTable.after")(function* (id: number) {
      const rows = yield* sql`
        SELECT "id", "taskId", "kind" FROM "TaskEvent" WHERE "id" > ${id} AND ${known} ORDER BY "id"`
      return yield* decodePointers(rows)
    }),

    /**
     * The next `limit` ids that a watcher missed: those above `newest` and those of `missing`, of one task or of all that the caller
     * may see, in order.
     */
    missed: Effect.fn("EventTable.missed")(function* (options: {
      readonly newest: number
      readonly missing: ReadonlyArray<number>
      readonly taskId: string | undefined
      readonly caller: CallerIdentity
      readonly limit: number
    }) {
      const { caller, limit, missing, newest, taskId } = options
      const ofTask = taskId === undefined ? sql.literal("TRUE") : sql`e."taskId" = ${taskId}`
      const ofCaller = caller.seesAll
        ? sql.literal("TRUE")
        : sql`coalesce(e."userId", (SELECT t."userId" FROM "Task" t WHERE t."id" = e."taskId")) = ${caller.userId}`
      const rows = yield* sql`
        SELECT e."id" FROM "TaskEvent" e
        WHERE (e."id" > ${newest} OR e."id" = ANY(${`{${missing.join(",")}}`}::text::bigint[])) AND ${known} AND ${ofTask} AND ${ofCaller}
        ORDER BY e."id" LIMIT ${limit}`
      return (yield* decodeIds(rows)).map(({ id }) => id)
    }),

    /** Whether the event is still there. */
    has: Effect.fn("EventTable.has")(function* (id: number) {
      return (yield* sql`SELECT 1 FROM "TaskEvent" WHERE "id" = ${id}`).length > 0
    }),

    /** The newest `count` ids, oldest first. */
    newestIds: Effect.fn("EventTable.newestIds")(function* (count: number) {
      const rows = yield* sql`SELECT "id" FROM "TaskEvent" WHERE ${known} ORDER BY "id" DESC LIMIT ${count}`
      return (yield* decodeIds(rows)).map(({ id }) => id).reverse()
    }),

    /** Deletes what was committed before the instant; gives the number of rows. */
    purge: Effect.fn("EventTable.purge")(function* (before: DateTime.DateTime) {
      const rows = yield* sql`DELETE FROM "TaskEvent" WHERE "createdAt" < ${DateTime.toDateUtc(before)} RETURNING 1`
      return rows.length
    })
  }
}

/** int8 arrives as bigint; ids stay far below 2^53. */
const Id = Schema.BigInt.pipe(
  Schema.decodeTo(Schema.Int, { decode: SchemaGetter.transform(Number), encode: SchemaGetter.transform(BigInt) })
)
const decodeIds = Schema.decodeUnknownEffect(Schema.Array(Schema.Struct({ id: Id })))
const decodePointers = Schema.decodeUnknownEffect(Schema.Array(Schema.Struct({ ...TaskEventPointer.fields, id: Id })))
const decodeEvents = Schema.decodeUnknownEffect(Schema.Array(Schema.Struct({ ...TaskEvent.fields, id: Id })))
