import { assert, describe, it } from "@effect/vitest"
import { Effect, Stream } from "effect"
import { makeRpcClient } from "../../src/client/BytebotClient.ts"
import { TaskId } from "../../src/domain/Task.ts"
import * as Anthropic from "../emulators/anthropic.ts"
import * as Desktop from "../emulators/desktop.ts"
import { client, untilConnected } from "../socket/Clients.ts"
import { deltasIn, draftsOf } from "../support/Drafts.ts"
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

  it.live(
    "bring the messages that a model is writing to watchers at every replica",
    () =>
      Effect.gen(function* () {
        const databaseUrl = yield* migrated
        const model = yield* Anthropic.scoped()
        const desktop = yield* Desktop.scoped()
        const said = "é".repeat(4_000)
        model.setDefault((_request, { index }) => ({
          content: [
            { type: "text", text: said },
            { type: "tool_use", name: "computer_move_mouse", input: { coordinates: { x: index, y: index } } }
          ]
        }))
        const replicas = yield* Effect.forEach([0, 1], () =>
          makeReplica({
            databaseUrl,
            decide: () => "pass",
            isOneOfMany: true,
            variables: {
              ...variables,
              ANTHROPIC_API_KEY: "test-key",
              ANTHROPIC_BASE_URL: model.url,
              BYTEBOT_DESKTOP_BASE_URL: desktop.url,
              BYTEBOT_SETTLE_DELAY: "50"
            }
          })
        )
        yield* Effect.forEach(replicas, ({ start }) => start, { concurrency: "unbounded" })
        const watchers = yield* Effect.forEach(replicas, ({ url }) => watch(`${url}/events`))
        const created = yield* request(replicas[0]?.url ?? "", "POST", "/tasks", { description: "write" })
        const { id } = decodeTask(created.json)
        for (const { seen } of watchers) {
          yield* until(
            "a whole draft",
            Effect.sync(() => {
              const drafts = draftsOf(
                deltasIn(
                  seen.map(({ data }) => data),
                  id
                )
              )
              return drafts.some(({ text }) => text === said) || undefined
            })
          )
        }
        yield* request(replicas[0]?.url ?? "", "POST", `/tasks/${id}/cancel`)
      }).pipe(Effect.scoped),
    60_000
  )
})
