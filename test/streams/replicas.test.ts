import { assert, describe, it } from "@effect/vitest"
import { Effect, Stream } from "effect"
import { makeRpcClient } from "../../src/client/BytebotClient.ts"
import { TaskId } from "../../src/domain/Task.ts"
import { client, untilConnected } from "../socket/Clients.ts"
import { makeReplica } from "../support/Replicas.ts"
import { decodeTask, request } from "../support/RestClient.ts"
import { migrated } from "../support/TestDatabase.ts"
import * as TestRedis from "../support/TestRedis.ts"
import { until } from "../support/Waiting.ts"
import { watch } from "./Watcher.ts"

const textIn = (value: unknown) => /"text":"(message \d+)"/.exec(JSON.stringify(value))?.[1]

const ways = [
  { name: "PostgreSQL", variables: {} },
  ...(TestRedis.isWanted ? [{ name: "Redis", variables: { REDIS_URL: TestRedis.url } }] : [])
]

describe.each(ways)("events by way of $name", ({ variables }) => {
  it.live(
    "events reach all subscribers of every replica in order and once, by Server-Sent Events, RPC and Socket.IO, also when the database connections of listeners are lost",
    () =>
      Effect.gen(function* () {
        const databaseUrl = yield* migrated
        const replicas = yield* Effect.forEach([0, 1], () =>
          makeReplica({ databaseUrl, decide: () => "pass", isOneOfMany: true, variables })
        )
        yield* Effect.forEach(replicas, ({ start }) => start, { concurrency: "unbounded" })
        const urls = replicas.map(({ url }) => url)
        const created = yield* request(urls[0] ?? "", "POST", "/tasks", {
          description: "watched everywhere",
          model: { provider: "anthropic", name: "m" }
        })
        const id = TaskId.make(decodeTask(created.json).id)
        const heard = yield* Effect.forEach(urls, (url) =>
          Effect.gen(function* () {
            const { seen } = yield* watch(`${url}/tasks/${id}/events`)
            const byRpc: Array<unknown> = []
            const rpc = yield* makeRpcClient({ url })
            yield* rpc.WatchTask({ id, after: "0" }).pipe(
              Stream.runForEach((event) => Effect.sync(() => byRpc.push(event))),
              Effect.forkScoped
            )
            const socket = yield* client(url, { transports: ["websocket"] })
            yield* untilConnected(socket)
            yield* Effect.promise(() => socket.socket.emitWithAck("join_task", id))
            yield* until(
              "RPC",
              Effect.sync(() => (byRpc.length > 0 ? true : undefined))
            )
            return { seen, byRpc, received: socket.received }
          })
        )
        const expected = Array.from({ length: 40 }, (_, index) => `message ${index}`)
        for (const [index, message] of expected.entries()) {
          if (index === 20) for (const { network } of replicas) network.cut()
          yield* request(urls[index % urls.length] ?? "", "POST", `/tasks/${id}/messages`, { message })
        }
        for (const { byRpc, received, seen } of heard) {
          for (const list of [seen, byRpc, received]) {
            const texts = () => list.flatMap((item) => textIn(item) ?? [])
            yield* until(
              "all messages",
              Effect.sync(() => (texts().length >= expected.length ? true : undefined))
            )
            assert.deepStrictEqual(texts(), expected)
          }
        }
      }).pipe(Effect.scoped),
    60_000
  )
})
