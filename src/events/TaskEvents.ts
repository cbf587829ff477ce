import { PgClient } from "@effect/sql-pg"
import { Context, Duration, Effect, Layer, Queue, Schedule, Schema, SchemaGetter, type Scope } from "effect"
import { orUnavailable } from "../database/DatabaseFailure.ts"
import { messageJson } from "../database/WireJson.ts"
import { TaskEvent, TaskEventKind, TaskEventPointer } from "../domain/TaskEvent.ts"

/** Events that one subscriber may lag behind before it is cut off. */
const queueCapacity = 4_096

/** How many ids are remembered, so that the events around a lost connection arrive once. */
const remembered = 10_000

/** Events are for those who watch; a day covers every reconnect, and the table stays small. */
const retention = Duration.hours(24)

interface Subscriber {
  readonly wants: (pointer: TaskEventPointer) => boolean
  readonly queue: Queue.Queue<TaskEvent>
}

/** The committed events of all tasks, as they happen, whichever process committed them. */
export class TaskEvents extends Context.Service<
  TaskEvents,
  {
    /**
     * Events in the order of their commits, from now until the scope closes; only those that `wants` asks for are loaded.
     * A subscriber that does not keep up is cut off: its queue is shut down.
     */
    readonly subscribe: (wants: Subscriber["wants"]) => Effect.Effect<Queue.Dequeue<TaskEvent>, never, Scope.Scope>
  }
>()("bytebot/TaskEvents") {
  static readonly layer = Layer.effect(
    TaskEvents,
    Effect.gen(function* () {
      const sql = yield* PgClient.PgClient
      const subscribers = new Set<Subscriber>()
      const seen = new Set<number>()
      let newest: number | undefined

      const load = Effect.fnUntraced(function* (ids: ReadonlyArray<number>) {
        const rows = yield* sql`
          SELECT e."id", e."taskId", e."kind",
            CASE WHEN e."kind" = 'new_message' THEN ${sql.literal(messageJson("m"))} ELSE e."payload" END AS payload
          FROM "TaskEvent" e LEFT JOIN "Message" m ON m."id" = e."messageId"
          WHERE e."id" = ANY(${sql.literal(`ARRAY[${ids.join(",")}]::bigint[]`)})
            AND (e."kind" <> 'new_message' OR m."id" IS NOT NULL)`
        return new Map((yield* decodeEvents(rows)).map((event) => [event.id, event]))
      })

      /** Hands new events to those who want them, in the given order. */
      const deliver = Effect.fnUntraced(function* (pointers: ReadonlyArray<TaskEventPointer>) {
        const fresh = pointers.filter((pointer) => !seen.has(pointer.id))
        for (const { id } of fresh) {
          seen.add(id)
          newest = Math.max(newest ?? 0, id)
        }
        for (const id of seen) {
          if (seen.size <= remembered) break
          seen.delete(id)
        }
        const wanted = fresh.filter((pointer) => [...subscribers].some((subscriber) => subscriber.wants(pointer)))
        if (wanted.length === 0) return
        const events = yield* load(wanted.map(({ id }) => id))
        for (const pointer of wanted) {
          const event = events.get(pointer.id)
          if (event === undefined) continue
          for (const subscriber of subscribers) {
            if (!subscriber.wants(pointer) || Queue.offerUnsafe(subscriber.queue, event)) continue
            subscribers.delete(subscriber)
            yield* Effect.logWarning("A subscriber of events did not keep up and was cut off")
            yield* Queue.shutdown(subscriber.queue)
          }
        }
      })

      /** What was committed while nobody listened. Ids are not commit order: older ones that became visible late count too. */
      const catchUp = Effect.gen(function* () {
        if (newest === undefined) {
          const rows = yield* sql`SELECT coalesce(max("id"), 0)::int8 AS newest FROM "TaskEvent"`
          newest = (yield* decodeNewest(rows))[0].newest
          return
        }
        const rows = yield* sql`
          SELECT "id", "taskId", "kind" FROM "TaskEvent" WHERE "id" > ${Math.max(0, newest - remembered / 2)} ORDER BY "id"`
        yield* deliver(yield* decodePointers(rows))
      })

      const listen = Effect.gen(function* () {
        const notifications = yield* sql.listen("bytebot_events")
        yield* catchUp
        return yield* Effect.forever(
          Effect.gen(function* () {
            const batch = yield* Queue.takeAll(notifications)
            yield* deliver(yield* Effect.forEach(batch, ({ payload }) => decodeNotification(payload)))
          })
        )
      }).pipe(Effect.scoped)

      yield* listen.pipe(
        Effect.tapError((error) => Effect.logWarning("Events are interrupted, listening again", error.message)),
        Effect.retry(Schedule.min([Schedule.exponential("100 millis"), Schedule.spaced("2 seconds")])),
        Effect.forkScoped
      )
      yield* sql`DELETE FROM "TaskEvent" WHERE "createdAt" < (now() AT TIME ZONE 'UTC') - make_interval(secs => ${Duration.toSeconds(retention)})`.pipe(
        orUnavailable,
        Effect.catch((error) => Effect.logWarning("Old events were not removed", error.message)),
        Effect.repeat(Schedule.spaced("1 hour")),
        Effect.forkScoped
      )

      return TaskEvents.of({
        subscribe: (wants) =>
          Effect.gen(function* () {
            const queue = yield* Queue.dropping<TaskEvent>(queueCapacity)
            const subscriber = { wants, queue }
            yield* Effect.acquireRelease(
              Effect.sync(() => subscribers.add(subscriber)),
              () =>
                Effect.andThen(
                  Effect.sync(() => subscribers.delete(subscriber)),
                  Queue.shutdown(queue)
                )
            )
            return queue
          })
      })
    })
  )
}

/** int8 arrives as bigint; ids stay far below 2^53. */
const Id = Schema.BigInt.pipe(
  Schema.decodeTo(Schema.Int, { decode: SchemaGetter.transform(Number), encode: SchemaGetter.transform(BigInt) })
)
const decodeNewest = Schema.decodeUnknownEffect(Schema.Tuple([Schema.Struct({ newest: Id })]))
const decodePointers = Schema.decodeUnknownEffect(
  Schema.Array(Schema.Struct({ id: Id, taskId: Schema.String, kind: TaskEventKind }))
)
const decodeEvents = Schema.decodeUnknownEffect(Schema.Array(Schema.Struct({ ...TaskEvent.fields, id: Id })))
const decodeNotification = Schema.decodeUnknownEffect(Schema.fromJsonString(TaskEventPointer))
