import { assert, layer } from "@effect/vitest"
import { Context, Effect, Layer, Schema } from "effect"
import { SqlClient } from "effect/sql"
import * as Write from "../events/EventWriter.ts"
import { send } from "../rest/RestService.ts"
import { migrated } from "../support/TestDatabase.ts"
import { startService } from "../support/TestService.ts"
import { until } from "../support/Waiting.ts"
import { ask, type Client, connected, payloads, untilConnected } from "./Clients.ts"

/** What a client finds when it comes back after a short while (docs/contract/socketio.md, on the web UI). */

class World extends Context.Service<World, { readonly url: string }>()("test/World") {
  static readonly layer = Layer.unwrap(
    Effect.gen(function* () {
      const { sql, url } = yield* startService({ DATABASE_URL: yield* migrated, ANTHROPIC_API_KEY: "unused" })
      return Layer.merge(Layer.succeed(World, { url }), Layer.succeed(SqlClient.SqlClient, sql))
    })
  )
}

/** Breaks the client's connection, as a network does, and waits until the server knows. */
const cut = Effect.fnUntraced(function* (client: Client) {
  const { url } = yield* World
  client.socket.io.engine.close()
  yield* until(
    "disconnection",
    Effect.sync(() => (client.socket.connected ? undefined : true))
  )
  yield* send(url, { path: "/" })
})

const comeBack = (client: Client) =>
  Effect.andThen(
    Effect.sync(() => client.socket.connect()),
    untilConnected(client)
  )

layer(World.layer, { timeout: "60 seconds", excludeTestServices: true })("Socket.IO recovery", (test) => {
  for (const transports of [["websocket"], ["polling"], ["polling", "websocket"]]) {
    test.effect(`gives back rooms and missed events, by ${transports.join(" and ")}`, () =>
      Effect.gen(function* () {
        const { url } = yield* World
        const [mine, left, other] = [yield* Write.task(), yield* Write.task(), yield* Write.task()]
        const client = yield* connected(url, { auth: { recovery: true }, transports, reconnection: false })
        yield* Effect.forEach([mine, left], (id) => ask(client, "join_task", id))
        yield* ask(client, "leave_task", left)
        yield* Write.event(mine, "before")
        yield* payloads(client, 1)
        const { id } = client.socket
        yield* cut(client)
        yield* Write.event(mine, "missed 1")
        yield* Write.event(other, "not mine")
        yield* Write.event(left, "not mine any more")
        yield* Write.event(other, "for everyone", { kind: "task_created" })
        yield* Write.event(mine, "missed 2")
        yield* comeBack(client)
        assert.isTrue(client.socket.recovered)
        assert.strictEqual(client.socket.id, id)
        yield* Write.event(mine, "after")
        assert.deepStrictEqual(yield* payloads(client, 5), ["before", "missed 1", "for everyone", "missed 2", "after"])
      }).pipe(Effect.scoped)
    )
  }

  test.effect("gives a client that had received no event its rooms back", () =>
    Effect.gen(function* () {
      const { url } = yield* World
      const [mine, other] = [yield* Write.task(), yield* Write.task()]
      yield* Write.event(mine, "before it came")
      const client = yield* connected(url, { auth: { recovery: true }, reconnection: false })
      yield* ask(client, "join_task", mine)
      for (const round of [1, 2]) {
        yield* cut(client)
        yield* Write.event(other, "not mine")
        if (round === 2) yield* Write.event(mine, "missed")
        yield* comeBack(client)
      }
      yield* Write.event(mine, "after")
      assert.deepStrictEqual(yield* payloads(client, 2), ["missed", "after"])
      yield* cut(client)
      yield* Write.event(mine, "missed again")
      yield* comeBack(client)
      assert.isTrue(client.socket.recovered)
      assert.deepStrictEqual(yield* payloads(client, 3), ["missed", "after", "missed again"])
    }).pipe(Effect.scoped)
  )

  for (const [name, options, isOffered] of [
    [
      "a page, by its headers",
      { extraHeaders: { origin: "https://ui.example.org", "user-agent": "Mozilla/5.0" } },
      true
    ],
    ["a program that sends an Origin, as Python's does", { extraHeaders: { origin: "https://ui.example.org" } }, false],
    ["a client that asks for it", { auth: { recovery: true } }, true],
    ["any other client", {}, false],
    ["a client that says no", { auth: { recovery: false } }, false]
  ] as const) {
    test.effect(`${isOffered ? "sends" : "does not send"} a second argument, the offset, to ${name}`, () =>
      Effect.gen(function* () {
        const { url } = yield* World
        const mine = yield* Write.task()
        const client = yield* connected(url, { transports: ["websocket"], ...options })
        yield* ask(client, "join_task", mine)
        yield* Write.event(mine, "hello")
        yield* payloads(client, 1)
        assert.lengthOf(client.received[0] ?? [], isOffered ? 3 : 2)
        assert.strictEqual(Reflect.get(client.socket, "_pid") !== undefined, isOffered)
      }).pipe(Effect.scoped)
    )
  }

  test.effect("gives a client that had disconnected on purpose no rooms back", () =>
    Effect.gen(function* () {
      const { url } = yield* World
      const mine = yield* Write.task()
      const client = yield* connected(url, { auth: { recovery: true }, reconnection: false })
      const observer = yield* connected(url, { auth: { recovery: true } })
      yield* ask(client, "join_task", mine)
      yield* ask(observer, "join_task", mine)
      client.socket.disconnect()
      yield* send(url, { path: "/" })
      yield* comeBack(client)
      yield* Write.event(mine, "for the observer")
      yield* Write.event(mine, "for everyone", { kind: "task_deleted" })
      yield* payloads(observer, 2)
      assert.deepStrictEqual(yield* payloads(client, 1), ["for everyone"])
    }).pipe(Effect.scoped)
  )

  test.effect("treats a client with an unknown session as a new one", () =>
    Effect.gen(function* () {
      const { url } = yield* World
      const mine = yield* Write.task()
      for (const auth of [
        { pid: "unknown", offset: "unknown" },
        { pid: "unknown" },
        { pid: 5, offset: [] },
        { offset: ".1" }
      ]) {
        const client = yield* connected(url, { auth: { recovery: true, ...auth } })
        assert.isFalse(client.socket.recovered)
        yield* ask(client, "join_task", mine)
        yield* Write.event(mine, "hello")
        assert.deepStrictEqual(yield* payloads(client, 1), ["hello"])
      }
    }).pipe(Effect.scoped)
  )

  test.effect("loses no event when a client is lost again before it received the missed ones", () =>
    Effect.gen(function* () {
      const mine = yield* Write.task()
      const first = yield* rawClient({ recovery: true })
      yield* first.post(`42["join_task","${mine}"]`)
      yield* Write.event(mine, "received")
      const offset = /"received","([^"]+)"/.exec(yield* first.pollUntil("received"))?.[1]
      yield* first.post("1")
      yield* Write.event(mine, "missed")
      const auth = { recovery: true, pid: first.pid, offset }
      const second = yield* rawClient(auth)
      assert.strictEqual(second.pid, first.pid)
      // What it missed got lost on the way. A third connection comes while the server still believes in the second.
      const third = yield* rawClient(auth)
      assert.notStrictEqual(third.pid, first.pid)
      yield* third.pollUntil("missed")
      yield* second.post("1")
      const fourth = yield* rawClient(auth)
      assert.strictEqual(fourth.pid, first.pid)
      yield* fourth.pollUntil("missed")
      yield* Write.event(mine, "after")
      yield* third.pollUntil("after")
      yield* fourth.pollUntil("after")
    }).pipe(Effect.scoped)
  )

  test.effect("disconnects a client that reads too slowly, and gives it its rooms and the newest events back", () =>
    Effect.gen(function* () {
      const { url } = yield* World
      const mine = yield* Write.task()
      const { pid, post } = yield* rawClient({ recovery: true })
      yield* post(`42["join_task","${mine}"]`)
      // It does not poll. Each message is as large as one with a file of 6 MB.
      yield* until(
        "cut",
        Effect.gen(function* () {
          yield* Write.message(mine, [{ type: "text", text: "x".repeat(8 * 1024 * 1024) }])
          return (yield* post("3")).status === 400 ? true : undefined
        })
      )
      const client = yield* connected(url, { auth: { recovery: true, pid }, transports: ["websocket"] })
      yield* Write.event(mine, "after")
      yield* until(
        "the last event",
        Effect.sync(() => (client.received.at(-1)?.[1] === "after" ? true : undefined))
      )
      assert.isAtLeast(client.received.length, 3)
      assert.isAtMost(client.received.length, 6)
    }).pipe(Effect.scoped)
  )
})

const engine = "/socket.io/?EIO=4&transport=polling"
const decodeOpen = Schema.decodeUnknownSync(Schema.fromJsonString(Schema.Struct({ sid: Schema.String })))
const decodeConnect = Schema.decodeUnknownSync(Schema.fromJsonString(Schema.Struct({ pid: Schema.String })))

/** A client by long polling that polls only when it is told to. */
const rawClient = Effect.fnUntraced(function* (auth: unknown) {
  const { url } = yield* World
  const { sid } = decodeOpen((yield* send(url, { path: engine })).text.slice(1))
  const path = `${engine}&sid=${sid}`
  const post = (body: string) => send(url, { method: "POST", path, body })
  const poll = Effect.map(send(url, { path }), ({ text }) => text)
  yield* post(`40${JSON.stringify(auth)}`)
  let seen = yield* poll
  const connect = seen.split("\u001e").find((packet) => packet.startsWith("40")) ?? ""
  return {
    pid: decodeConnect(connect.slice(2)).pid,
    post,
    /** Polls until a task_updated with this payload was among what came; gives all that came. */
    pollUntil: Effect.fnUntraced(function* (payload: string) {
      while (!seen.includes(`42["task_updated","${payload}","`)) seen += yield* poll
      return seen
    })
  }
})
