import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Fiber, Layer, Queue, Redacted } from "effect"
import { createClient } from "redis"
import { io } from "socket.io-client"
import { Settings } from "../../src/config/Settings.ts"
import { Drafts } from "../../src/events/Drafts.ts"
import * as RedisNotifications from "../../src/events/RedisNotifications.ts"
import { TaskEvents } from "../../src/events/TaskEvents.ts"
import { request } from "../support/RestClient.ts"
import { createTask, Stage } from "../support/Stage.ts"
import { clientLayer, TestDatabase } from "../support/TestDatabase.ts"
import { isWanted, url } from "../support/TestRedis.ts"
import { until } from "../support/Waiting.ts"
import * as Write from "./EventWriter.ts"

/** Ends connections of the given kind, on the server's side; those of other tests find back by themselves. */
const endConnections = (type: "pubsub" | "normal") =>
  Effect.promise(async () => {
    const client = await createClient({ url }).connect()
    await client.sendCommand(["CLIENT", "KILL", "TYPE", type, "SKIPME", "yes"])
    await client.close()
  })

const secret = Redacted.make(url)
const feed = Layer.fresh(
  TaskEvents.layer.pipe(
    Layer.provide(Drafts.layer),
    Layer.provide(Settings.layerFrom({})),
    Layer.provide(RedisNotifications.layer(secret))
  )
)

/** A subscriber of a replica of its own. */
const subscriber = Effect.flatMap(Layer.build(feed), (context) =>
  Context.get(context, TaskEvents).subscribe(() => true)
)

const payloads = (queue: Queue.Dequeue<{ readonly payload: unknown }, unknown>, count: number) =>
  Effect.map(Queue.takeN(queue, count), (events) => events.map(({ payload }) => payload))

const numbers = (from: number, to: number) => Array.from({ length: to - from }, (_, index) => from + index)
const write = (taskId: string, from: number, to: number) =>
  Effect.forEach(numbers(from, to), (payload) => Write.event(taskId, payload), { discard: true })

describe.skipIf(!isWanted)("events by way of Redis", () => {
  it.live("reach every replica once, in the order of the commits", () =>
    Effect.gen(function* () {
      yield* Effect.forkScoped(RedisNotifications.passOn(secret))
      const queues = [yield* subscriber, yield* subscriber]
      const task = yield* Write.task()
      yield* write(task, 0, 200)
      for (const queue of queues) assert.deepStrictEqual(yield* payloads(queue, 200), numbers(0, 200))
    }).pipe(Effect.scoped, Effect.provide(TestDatabase.withClient))
  )

  it.live("come once, though two replicas pass them on for a while", () =>
    Effect.gen(function* () {
      const { url: databaseUrl } = yield* TestDatabase
      yield* Effect.forkScoped(RedisNotifications.passOn(secret))
      yield* Effect.forkScoped(Effect.provide(RedisNotifications.passOn(secret), Layer.fresh(clientLayer(databaseUrl))))
      const queue = yield* subscriber
      const task = yield* Write.task()
      yield* write(task, 0, 200)
      assert.deepStrictEqual(yield* payloads(queue, 200), numbers(0, 200))
      yield* write(task, 200, 201)
      assert.deepStrictEqual(yield* payloads(queue, 1), [200])
    }).pipe(Effect.scoped, Effect.provide(TestDatabase.withClient))
  )

  it.live("go on after connections to Redis were cut: nothing is missing, nothing comes twice", () =>
    Effect.gen(function* () {
      yield* Effect.forkScoped(RedisNotifications.passOn(secret))
      const queue = yield* subscriber
      const task = yield* Write.task()
      yield* write(task, 0, 10)
      assert.deepStrictEqual(yield* payloads(queue, 10), numbers(0, 10))
      yield* endConnections("pubsub")
      yield* write(task, 10, 20)
      assert.deepStrictEqual(yield* payloads(queue, 10), numbers(10, 20))
      yield* endConnections("normal")
      yield* write(task, 20, 30)
      assert.deepStrictEqual(yield* payloads(queue, 10), numbers(20, 30))
    }).pipe(Effect.scoped, Effect.provide(TestDatabase.withClient))
  )

  it.live("without a relay are found when a relay runs again", () =>
    Effect.gen(function* () {
      const first = yield* Effect.forkScoped(RedisNotifications.passOn(secret))
      const queue = yield* subscriber
      const task = yield* Write.task()
      yield* write(task, 0, 5)
      assert.deepStrictEqual(yield* payloads(queue, 5), numbers(0, 5))
      yield* Fiber.interrupt(first)
      yield* write(task, 5, 10)
      yield* Effect.forkScoped(RedisNotifications.passOn(secret))
      assert.deepStrictEqual(yield* payloads(queue, 5), numbers(5, 10))
    }).pipe(Effect.scoped, Effect.provide(TestDatabase.withClient))
  )

  it.live("of other databases on the same Redis are not heard", () =>
    Effect.gen(function* () {
      const queue = yield* subscriber
      yield* Effect.gen(function* () {
        yield* Effect.forkScoped(RedisNotifications.passOn(secret))
        const heard = yield* subscriber
        const task = yield* Write.task()
        yield* write(task, 0, 50)
        assert.deepStrictEqual(yield* payloads(heard, 50), numbers(0, 50))
      }).pipe(Effect.scoped, Effect.provide(Layer.fresh(TestDatabase.withClient)))
      yield* Effect.forkScoped(RedisNotifications.passOn(secret))
      const task = yield* Write.task()
      yield* write(task, 100, 105)
      assert.deepStrictEqual(yield* payloads(queue, 5), numbers(100, 105))
    }).pipe(Effect.scoped, Effect.provide(TestDatabase.withClient))
  )

  it.live("of a running service reach its sockets", () =>
    Effect.gen(function* () {
      const { url: service, sql } = yield* Stage
      const socket = yield* Effect.acquireRelease(
        Effect.sync(() => io(service, { transports: ["websocket"], forceNew: true })),
        (client) => Effect.sync(() => client.disconnect())
      )
      const heard: Array<string> = []
      socket.onAny((event: string) => heard.push(event))
      socket.on("task_created", ({ id }: { readonly id: string }) => socket.emit("join_task", id))
      yield* until(
        "the socket is there",
        Effect.sync(() => socket.connected || undefined)
      )
      const hears = (event: string) =>
        until(
          event,
          Effect.sync(() => heard.includes(event) || undefined)
        )
      const id = yield* createTask("by redis", { scheduledFor: "2099-01-01T00:00:00.000Z" })
      yield* hears("task_created")
      // Whoever joins hears of what comes after that, and gets no answer that says so.
      yield* until(
        "the socket has joined",
        Effect.andThen(
          request(service, "POST", `/tasks/${id}/messages`, { message: "hello" }),
          Effect.sync(() => heard.includes("new_message") || undefined)
        )
      )
      yield* request(service, "POST", `/tasks/${id}/cancel`)
      yield* hears("task_updated")
      assert.strictEqual(heard[0], "task_created")
      assert.strictEqual(heard.at(-1), "task_updated")
      const [{ listeners } = { listeners: -1 }] = yield* sql<{ listeners: number }>`
        SELECT count(*)::int AS listeners FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN %'`
      assert.strictEqual(listeners, 1)
    }).pipe(Effect.scoped, Effect.provide(Stage.layer({ REDIS_URL: url })))
  )
})
