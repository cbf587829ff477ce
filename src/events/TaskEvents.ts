import { PgClient } from "@effect/sql-pg"
import {
  Array as Arr,
  Cause,
  Context,
  DateTime,
  Duration,
  Effect,
  Latch,
  Layer,
  Option,
  Queue,
  Result,
  Schedule,
  Schema,
  type Scope
} from "effect"
import { SqlError } from "effect/sql"
import { wordsOf } from "../database/SqlFailure.ts"
import { DatabaseUnavailable } from "../domain/TaskErrors.ts"
import type { TaskEvent } from "../domain/TaskEvent.ts"
import type { SubscriberTooSlow } from "../domain/WatchedEvent.ts"
import { untraced } from "../observability/TraceParent.ts"
import { Drafts } from "./Drafts.ts"
import { makeDelivery } from "./EventDelivery.ts"
import { catchUp, decodeNotification, type EventTable, makeEventTable } from "./EventTable.ts"
import { Notifications, type NotificationsEnded } from "./Notifications.ts"
import { Subscribers, type Wants } from "./Subscribers.ts"

/** Notifications taken at once. */
const batchSize = 32

/** How often the table is compared with the notifications, as a connection may die silently; it costs one look at an index. */
const silence = Duration.seconds(3)

/**
 * A notification counts as lost when this process was idle for so many pauses in a row, and heard nothing. Pauses are counted, not time: a
 * process that is kept from running has what it was sent still to read, and reads it in the next pause.
 */
const [idlePauses, idlePause] = [10, Duration.millis(200)]

/** The first pause before listening again, and the longest. */
const [shortestPause, longestPause] = [Duration.millis(100), Duration.seconds(1)]

/**
 * Events serve those who watch now, and the gap of a lost connection to the database. A day is longer than any gap that a
 * subscriber would wait for, and keeps the table small.
 */
const retention = Duration.hours(24)

/** The connection seems to be alive but brings no notifications. */
class NotificationsLost extends Schema.TaggedError<NotificationsLost>()("NotificationsLost", {}) {
  override readonly message = "Events were committed that the database did not notify of"
}

/** The committed events of all tasks, as they happen, whichever process committed them. */
export class TaskEvents extends Context.Service<
  TaskEvents,
  {
    /**
     * Events that are committed from the moment the effect returns until the scope closes, in the order of the commits, each
     * once. Only those that `wants` asks for are loaded; it is called for every event, so it should be quick. A lost
     * connection to the database delays events; the queue fails only when the subscriber does not keep up. Fails with
     * DatabaseUnavailable while there is no connection.
     */
    readonly subscribe: (
      wants: Wants
    ) => Effect.Effect<Queue.Dequeue<TaskEvent, SubscriberTooSlow>, DatabaseUnavailable, Scope.Scope>
    /**
     * As `subscribe`, at once, with or without a connection. A follower from the start of the service gets everything that the service
     * commits.
     */
    readonly follow: (wants: Wants) => Effect.Effect<Queue.Dequeue<TaskEvent, SubscriberTooSlow>, never, Scope.Scope>
  }
>()("bytebot/TaskEvents") {
  static readonly layer = Layer.effect(
    TaskEvents,
    Effect.gen(function* () {
      const sql = yield* PgClient.PgClient
      const notifications = yield* Notifications
      const drafts = yield* Drafts
      const table = makeEventTable(sql)
      const subscribers = new Subscribers()
      const delivery = makeDelivery(table, subscribers)
      const attempted = yield* Latch.make()
      let outage: DatabaseUnavailable | undefined
      let failures = 0

      /** Listens first and reads what was missed then, so that there is no moment in between. */
      const listen = Effect.gen(function* () {
        yield* delivery.begin
        const heard = yield* notifications.listen
        yield* delivery.catchUp
        outage = undefined
        failures = 0
        yield* attempted.open
        const activity: Activity = { heard: 0, isIdle: true }
        return yield* Effect.raceFirst(hear(heard, delivery, drafts, activity), watch(table, delivery, activity))
      }).pipe(Effect.scoped)

      const interrupted = Effect.fnUntraced(function* (cause: Cause.Cause<{ readonly message: string }>) {
        const reason = reasonOf(cause)
        outage = new DatabaseUnavailable({ reason })
        yield* attempted.open
        yield* Effect.logWarning(`Events are delayed: listening again (${reason})`)
        const pause = Duration.min(Duration.times(shortestPause, 2 ** Math.min(failures, 10)), longestPause)
        failures += 1
        yield* Effect.sleep(pause)
      })

      // What is heard belongs to no request.
      yield* listen.pipe(Effect.catchCause(interrupted), Effect.forever, untraced, Effect.forkScoped)

      yield* DateTime.now.pipe(
        Effect.flatMap((now) => table.purge(DateTime.subtractDuration(now, retention))),
        Effect.catchCause((cause) => Effect.logWarning(`Old events were not deleted (${reasonOf(cause)})`)),
        Effect.repeat(Schedule.spaced("1 hour")),
        untraced,
        Effect.forkScoped
      )

      return TaskEvents.of({
        subscribe: Effect.fn("TaskEvents.subscribe")(function* (wants) {
          yield* attempted.await
          return yield* outage === undefined ? subscribers.add(wants) : Effect.fail(outage)
        }),
        follow: (wants) => subscribers.add(wants)
      })
    })
  )
}

/** What a connection that listens has brought. */
interface Activity {
  /** Number of times that notifications were taken. */
  heard: number
  /** All that was taken is passed on. */
  isIdle: boolean
}

const hear = (
  heard: Queue.Dequeue<string, NotificationsEnded>,
  delivery: ReturnType<typeof makeDelivery>,
  drafts: Drafts["Service"],
  activity: Activity
) =>
  Effect.gen(function* () {
    activity.isIdle = true
    const texts = yield* Queue.takeBetween(heard, 1, batchSize)
    activity.isIdle = false
    activity.heard++
    const [pointers, others] = Arr.partition(texts, (text) => Result.fromOption(decodeNotification(text), () => text))
    for (const text of others) drafts.receive(text)
    yield* texts.includes(catchUp) ? delivery.catchUp : delivery.deliver(pointers)
  }).pipe(Effect.forever)

/** Whether something was heard during a pause, or is still being passed on. */
const isAliveIn = Effect.fnUntraced(function* (activity: Activity) {
  const { heard } = activity
  yield* Effect.sleep(idlePause)
  return !activity.isIdle || activity.heard !== heard
})

/** Fails when the table has events that no notification told of. */
const watch = (table: EventTable, delivery: ReturnType<typeof makeDelivery>, activity: Activity) =>
  Effect.gen(function* () {
    yield* Effect.sleep(silence)
    const [committed = 0] = yield* table.newestIds(1)
    for (let pauses = 0; delivery.isBehind(committed); pauses++) {
      if (pauses === idlePauses) return yield* new NotificationsLost()
      if (yield* isAliveIn(activity)) return
    }
  }).pipe(Effect.forever)

/** A failure in its own words, a bug with its trace. */
const reasonOf = (cause: Cause.Cause<{ readonly message: string }>): string =>
  Option.match(Cause.findErrorOption(cause), {
    onNone: () => Cause.pretty(cause),
    onSome: (error) => (SqlError.isSqlError(error) ? wordsOf(error) : error.message)
  })
