import { assert, describe, it } from "@effect/vitest"
import { Clock, Deferred, Effect, Exit, Fiber, Layer, Queue, References, Schedule, Schema } from "effect"
import { SqlClient } from "effect/sql"
import { TestClock } from "effect/testing"
import { Settings } from "../../src/config/Settings.ts"
import { Drafts } from "../../src/events/Drafts.ts"
import { Notifications, NotificationsEnded } from "../../src/events/Notifications.ts"
import { TaskEvents } from "../../src/events/TaskEvents.ts"
import { admin, clientLayer, migrated, TestDatabase } from "../support/TestDatabase.ts"
import { until } from "../support/Waiting.ts"
import * as Write from "./EventWriter.ts"

const everything = () => true

const all = Effect.flatMap(TaskEvents, (events) => events.subscribe(everything))

/** The payloads of the next `count` events. */
const payloads = (queue: Effect.Success<typeof all>, count: number) =>
  Effect.map(Queue.takeN(queue, count), (events) => events.map(({ payload }) => payload))

/** Nothing else is on its way: what is written last comes next. */
const assertNothingElse = Effect.fnUntraced(function* (queue: Effect.Success<typeof all>, taskId: string) {
  yield* Write.event(taskId, "last")
  assert.deepStrictEqual(yield* payloads(queue, 1), ["last"])
})

/** Each test has a feed and a database of its own. */
const eventsLayer = TaskEvents.layer.pipe(Layer.provide(Drafts.layer), Layer.provide(Settings.layerFrom({})))
const byPostgres = eventsLayer.pipe(Layer.provide(Notifications.postgres))
const feed = byPostgres.pipe(Layer.provideMerge(TestDatabase.withClient), Layer.fresh)

describe("TaskEvents", () => {
  it.live("delivers what is asked for, once, in the order of the commits", () =>
    Effect.gen(function* () {
      const events = yield* TaskEvents
      const [mine, other] = [yield* Write.task(), yield* Write.task()]
      const queue = yield* events.subscribe(({ taskId }) => taskId === mine)
      const second = yield* events.subscribe(({ kind }) => kind === "new_message")
      yield* Effect.forEach(
        Array.from({ length: 200 }, (_, index) => index),
        (index) => Effect.andThen(Write.event(other, -1), Write.event(mine, index))
      )
      assert.deepStrictEqual(
        yield* payloads(queue, 200),
        Array.from({ length: 200 }, (_, index) => index)
      )
      const id = yield* Write.message(mine, [{ type: "text", text: "hello" }])
      const Shown = Schema.Struct({
        id: Schema.String,
        content: Schema.Json,
        taskId: Schema.String,
        summaryId: Schema.Null
      })
      for (const subscription of [queue, second]) {
        const shown = yield* Queue.take(subscription)
        assert.strictEqual(shown.kind, "new_message")
        assert.deepStrictEqual(yield* Schema.decodeUnknownEffect(Shown)(shown.payload), {
          id,
          content: [{ type: "text", text: "hello" }],
          taskId: mine,
          summaryId: null
        })
        assert.deepStrictEqual(Object.keys(Object(shown.payload)), [
          "id",
          "content",
          "role",
          "createdAt",
          "updatedAt",
          "taskId",
          "summaryId"
        ])
      }
    }).pipe(Effect.scoped, Effect.provide(feed))
  )

  it.live("shows a message as it was when it was new, though a summary hides it by now", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const queue = yield* all
      const task = yield* Write.task()
      yield* Effect.gen(function* () {
        const id = yield* Write.message(task, [])
        yield* sql`INSERT INTO "Summary" ("id", "content", "updatedAt", "taskId") VALUES ('s', 'so far', now(), ${task})`
        yield* sql`UPDATE "Message" SET "summaryId" = 's', "updatedAt" = now() + interval '1 hour' WHERE "id" = ${id}`
      }).pipe(sql.withTransaction)
      const [payload] = yield* payloads(queue, 1)
      const { createdAt, summaryId, updatedAt } = yield* Schema.decodeUnknownEffect(
        Schema.Struct({
          createdAt: Schema.String,
          updatedAt: Schema.String,
          summaryId: Schema.NullOr(Schema.String)
        })
      )(payload)
      assert.deepStrictEqual([summaryId, updatedAt], [null, createdAt])
    }).pipe(Effect.scoped, Effect.provide(feed))
  )

  it.live("leaves out a message that is gone, and kinds of a newer version", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const queue = yield* all
      const id = yield* Write.task()
      yield* Effect.gen(function* () {
        yield* Write.message(id, [])
        yield* sql`DELETE FROM "Message"`
        yield* Write.event(id, 1, { kind: "task_praised" })
      }).pipe(sql.withTransaction)
      yield* assertNothingElse(queue, id)
    }).pipe(Effect.scoped, Effect.provide(feed))
  )

  it.live("shows a transaction that commits after one with higher ids", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const queue = yield* all
      const id = yield* Write.task()
      const [inserted, commit] = [yield* Deferred.make<void>(), yield* Deferred.make<void>()]
      const slow = yield* Write.event(id, "slow").pipe(
        Effect.andThen(Deferred.succeed(inserted, undefined)),
        Effect.andThen(Deferred.await(commit)),
        sql.withTransaction,
        Effect.forkScoped
      )
      yield* Deferred.await(inserted)
      yield* Write.event(id, "quick")
      assert.deepStrictEqual(yield* payloads(queue, 1), ["quick"])
      yield* Deferred.succeed(commit, undefined)
      yield* Fiber.join(slow)
      assert.deepStrictEqual(yield* payloads(queue, 1), ["slow"])
    }).pipe(Effect.scoped, Effect.provide(feed))
  )

  it.live("goes on after its connection was cut: nothing is missing, nothing comes twice", () =>
    Effect.gen(function* () {
      const database = yield* migrated
      yield* Effect.gen(function* () {
        const sql = yield* SqlClient.SqlClient
        const id = yield* Write.task()
        yield* Write.event(id, "long ago")
        yield* Effect.gen(function* () {
          const queue = yield* all
          const [inserted, commit] = [yield* Deferred.make<void>(), yield* Deferred.make<void>()]
          const slow = yield* Write.event(id, "in the gap, with an older id").pipe(
            Effect.andThen(Deferred.succeed(inserted, undefined)),
            Effect.andThen(Deferred.await(commit)),
            sql.withTransaction,
            Effect.forkScoped
          )
          yield* Deferred.await(inserted)
          yield* Write.event(id, "before")
          assert.deepStrictEqual(yield* payloads(queue, 1), ["before"])
          assert.strictEqual(yield* Write.cutListeners(), 1)
          yield* Deferred.succeed(commit, undefined)
          yield* Fiber.join(slow)
          yield* Effect.forEach([1, 2, 3], (index) => Write.event(id, index))
          assert.deepStrictEqual(yield* payloads(queue, 4), ["in the gap, with an older id", 1, 2, 3])
          for (const round of ["a", "b", "c"]) {
            yield* until(
              "listening again",
              Effect.map(Write.cutListeners(), (cut) => (cut > 0 ? true : undefined))
            )
            yield* Write.event(id, round)
            assert.deepStrictEqual(yield* payloads(queue, 1), [round])
          }
          yield* assertNothingElse(queue, id)
        }).pipe(Effect.scoped, Effect.provide(byPostgres))
      }).pipe(Effect.provide(clientLayer(database)))
    }).pipe(Effect.scoped)
  )

  it.live("refuses subscribers while there is no database; those it has get everything later", () =>
    Effect.gen(function* () {
      const owner = yield* admin
      const { url } = yield* TestDatabase
      const database = owner.literal(new URL(url).pathname.slice(1))
      const early = yield* all
      const id = yield* Write.task()
      yield* owner`ALTER DATABASE ${database} ALLOW_CONNECTIONS false`
      yield* owner`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '${database}'`
      yield* until(
        "refusal",
        Effect.scoped(all).pipe(
          Effect.as(undefined),
          Effect.catchTag("DatabaseUnavailable", () => Effect.succeed(true))
        )
      )
      yield* owner`ALTER DATABASE ${database} ALLOW_CONNECTIONS true`
      yield* Write.event(id, "after the outage").pipe(Effect.retry(Schedule.spaced("20 millis")))
      assert.deepStrictEqual(yield* payloads(early, 1), ["after the outage"])
      const late = yield* all
      yield* assertNothingElse(early, id)
      assert.deepStrictEqual(yield* payloads(late, 1), ["last"])
    }).pipe(Effect.scoped, Effect.provide(feed))
  )

  it.live("brings a follower from the start also what was committed before the first connection", () =>
    Effect.gen(function* () {
      const attempts = yield* Queue.unbounded<void>()
      const refused = Notifications.of({
        listen: Effect.andThen(
          Queue.offer(attempts, undefined),
          Effect.fail(new NotificationsEnded({ reason: "not there yet" }))
        ),
        sender: Effect.never
      })
      const { listen } = yield* Effect.provide(Notifications, Notifications.postgres)
      let isThere = false
      const late = Notifications.of({
        ...refused,
        listen: Effect.suspend(() => (isThere ? listen : refused.listen))
      })
      yield* Effect.gen(function* () {
        const queue = yield* (yield* TaskEvents).follow(everything)
        yield* Queue.take(attempts)
        const id = yield* Write.task()
        yield* Write.event(id, "early")
        isThere = true
        assert.deepStrictEqual(yield* payloads(queue, 1), ["early"])
        yield* assertNothingElse(queue, id)
      }).pipe(Effect.scoped, Effect.provide(eventsLayer), Effect.provideService(Notifications, late))
    }).pipe(Effect.provide(TestDatabase.withClient))
  )

  it.live("refuses subscribers when the database was never there", () =>
    Effect.gen(function* () {
      const { url } = yield* TestDatabase
      const nowhere = clientLayer(url.replace(/:\d+\//, ":1/"))
      const failure = yield* Effect.flip(Effect.scoped(all)).pipe(Effect.provide(byPostgres), Effect.provide(nowhere))
      assert.strictEqual(failure._tag, "DatabaseUnavailable")
    }).pipe(Effect.provide(TestDatabase.layer))
  )

  it.live("cuts off a subscriber that does not keep up, and only that one", () =>
    Effect.gen(function* () {
      const [slow, quick] = [yield* all, yield* all]
      const id = yield* Write.task()
      for (let index = 0; index < 300; index++) {
        yield* Write.event(id, index)
        assert.deepStrictEqual(yield* payloads(quick, 1), [index])
      }
      const lagged = yield* payloads(slow, 256)
      assert.strictEqual(lagged.at(-1), 255)
      const end = yield* Effect.flip(Queue.take(slow))
      assert.strictEqual(end._tag, "SubscriberTooSlow")
      yield* assertNothingElse(quick, id)
    }).pipe(Effect.scoped, Effect.provide(feed))
  )

  it.live("ends a subscription with its scope", () =>
    Effect.gen(function* () {
      const queue = yield* Effect.scoped(all)
      assert.isTrue(Exit.hasInterrupts(yield* Effect.exit(Queue.take(queue))))
    }).pipe(Effect.provide(feed))
  )

  it.live("deletes events after a day", () =>
    Effect.gen(function* () {
      const database = yield* migrated
      yield* Effect.gen(function* () {
        const sql = yield* SqlClient.SqlClient
        const id = yield* Write.task()
        yield* Write.event(id, "old", { at: new Date(Date.now() - 24.5 * 3_600_000) })
        yield* Write.event(id, "young", { at: new Date(Date.now() - 23.5 * 3_600_000) })
        yield* until(
          "the purge",
          Effect.map(sql`SELECT "payload" FROM "TaskEvent"`, (rows) =>
            rows.length === 1 && rows[0]?.payload === "young" ? true : undefined
          )
        ).pipe(Effect.provide(byPostgres))
      }).pipe(Effect.provide(clientLayer(database)))
    }).pipe(Effect.scoped)
  )

  it.live("notices when the database stops notifying", () =>
    Effect.gen(function* () {
      const clock = yield* TestClock.make()
      const sql = yield* SqlClient.SqlClient
      yield* Effect.gen(function* () {
        const queue = yield* all
        const id = yield* Write.task()
        yield* sql`ALTER TABLE "TaskEvent" DISABLE TRIGGER "TaskEvent_notify"`
        yield* Write.event(id, "unheard of")
        const found = yield* payloads(queue, 1).pipe(Effect.forkScoped)
        yield* until(
          "noticed",
          clock
            .adjust("5 seconds")
            .pipe(Effect.andThen(Effect.sync(() => (found.pollUnsafe() === undefined ? undefined : true))))
        )
        assert.deepStrictEqual(yield* Fiber.join(found), ["unheard of"])
      }).pipe(Effect.scoped, Effect.provide(byPostgres.pipe(Layer.provide(Layer.succeed(Clock.Clock, clock)))))
    }).pipe(Effect.scoped, Effect.provide(TestDatabase.withClient))
  )

  it.live("keeps a connection whose notifications come late, as on a busy machine", () =>
    Effect.gen(function* () {
      const clock = yield* TestClock.make()
      const { listen } = yield* Effect.provide(Notifications, Notifications.postgres)
      let listened = 0
      let arrived = 0
      /** Each notification takes longer than one may, but they keep coming. */
      const late = Notifications.of({
        sender: Effect.never,
        listen: Effect.gen(function* () {
          listened++
          const heard = yield* listen
          const passed = yield* Queue.unbounded<string, NotificationsEnded>()
          yield* Queue.take(heard).pipe(
            Effect.flatMap((text) =>
              Effect.sleep("2500 millis").pipe(
                Effect.andThen(Queue.offer(passed, text)),
                Effect.forkScoped({ startImmediately: true })
              )
            ),
            Effect.tap(Effect.sync(() => arrived++)),
            Effect.forever,
            Effect.forkScoped
          )
          return passed
        })
      })
      yield* Effect.gen(function* () {
        const queue = yield* all
        const id = yield* Write.task()
        for (let index = 0; index < 40; index++) {
          yield* Write.event(id, index)
          // The clock stands still while PostgreSQL takes its time.
          yield* until(
            "PostgreSQL notifies",
            Effect.sync(() => (arrived > index ? true : undefined))
          )
          yield* clock.adjust("250 millis")
        }
        const found = yield* payloads(queue, 40).pipe(Effect.forkScoped)
        yield* until(
          "all came",
          clock
            .adjust("250 millis")
            .pipe(Effect.andThen(Effect.sync(() => (found.pollUnsafe() === undefined ? undefined : true))))
        )
        assert.deepStrictEqual(
          yield* Fiber.join(found),
          Array.from({ length: 40 }, (_, index) => index)
        )
        assert.strictEqual(listened, 1)
      }).pipe(
        Effect.scoped,
        Effect.provide(eventsLayer.pipe(Layer.provide(Layer.succeed(Clock.Clock, clock)))),
        Effect.provideService(Notifications, late)
      )
    }).pipe(Effect.scoped, Effect.provide(TestDatabase.withClient))
  )

  it.live("delivers nothing twice when it begins to listen again in the middle of a delivery", () =>
    Effect.gen(function* () {
      const clock = yield* TestClock.make()
      const sql = yield* SqlClient.SqlClient
      const heard = yield* Queue.unbounded<string, NotificationsEnded>()
      const byHand = Notifications.of({ listen: Effect.succeed(heard), sender: Effect.never })
      yield* Effect.gen(function* () {
        const queue = yield* all
        const id = yield* Write.task()
        yield* Effect.forEach(
          Array.from({ length: 30 }, (_, index) => index),
          (index) => Write.event(id, index)
        )
        const pointers = yield* sql<{ text: string }>`
          SELECT json_build_object('id', "id", 'taskId', "taskId", 'kind', "kind")::text AS text FROM "TaskEvent" ORDER BY "id"`
        // The events are missed: the connection counts as lost in a moment, and that is when the notifications come.
        yield* clock.adjust("3 seconds")
        yield* Effect.repeat(sql`SELECT 1`, { times: 10 })
        yield* Queue.offerAll(
          heard,
          pointers.map(({ text }) => text)
        )
        const first = yield* Queue.take(queue)
        yield* clock.adjust("2 seconds")
        yield* Write.event(id, "last")
        const rest = yield* payloads(queue, 30).pipe(Effect.forkScoped)
        yield* until(
          "all came",
          clock
            .adjust("5 seconds")
            .pipe(Effect.andThen(Effect.sync(() => (rest.pollUnsafe() === undefined ? undefined : true))))
        )
        assert.deepStrictEqual(
          [first.payload, ...(yield* Fiber.join(rest))],
          [...Array.from({ length: 30 }, (_, index) => index), "last"]
        )
      }).pipe(
        Effect.scoped,
        Effect.provide(eventsLayer.pipe(Layer.provide(Layer.succeed(Clock.Clock, clock)))),
        Effect.provideService(Notifications, byHand),
        // An interruption meets the delivery wherever it can.
        Effect.provideService(References.MaxOpsBeforeYield, 5)
      )
    }).pipe(Effect.scoped, Effect.provide(TestDatabase.withClient))
  )
})
