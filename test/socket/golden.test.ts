import { readFileSync } from "node:fs"
import { assert, layer } from "@effect/vitest"
import { Context, Effect, Layer, Schema } from "effect"
import { SqlClient } from "effect/sql"
import * as Write from "../events/EventWriter.ts"
import { send } from "../rest/RestService.ts"
import { differences } from "../support/Recording.ts"
import { decodeTask, request } from "../support/RestClient.ts"
import { migrated } from "../support/TestDatabase.ts"
import { startService } from "../support/TestService.ts"
import { until } from "../support/Waiting.ts"
import { ask, type Client, client, connected } from "./Clients.ts"

/** The original's Socket.IO side, as recorded (docs/contract/socketio.md, golden/socket.json). */

const Event = Schema.Struct({ client: Schema.String, event: Schema.String, args: Schema.Array(Schema.Json) })
const Recording = Schema.Struct({
  handshake: Schema.Array(
    Schema.Struct({
      name: Schema.String,
      request: Schema.String,
      status: Schema.Int,
      headers: Schema.Record(Schema.String, Schema.String),
      body: Schema.String
    })
  ),
  clients: Schema.Array(
    Schema.Struct({
      transports: Schema.optionalKey(Schema.Array(Schema.String)),
      transport: Schema.optionalKey(Schema.String)
    })
  ),
  events: Schema.Record(
    Schema.String,
    Schema.Struct({ response: Schema.optionalKey(Schema.Struct({ status: Schema.Int })), events: Schema.Array(Event) })
  ),
  acks: Schema.Array(Schema.Struct({ event: Schema.String, payload: Schema.optionalKey(Schema.Json) }))
})
const recording = Schema.decodeUnknownSync(Schema.fromJsonString(Recording))(
  readFileSync(new URL("../fixtures/golden/socket.json", import.meta.url), "utf8")
)

class World extends Context.Service<World, { readonly url: string; readonly sql: SqlClient.SqlClient }>()(
  "test/World"
) {
  static readonly layer = Layer.effect(
    World,
    Effect.flatMap(migrated, (database) => startService({ DATABASE_URL: database, ANTHROPIC_API_KEY: "unused" }))
  )
}

/** Headers that say something about Express, the moment or the version rather than about the contract. */
const incidental = [
  "x-powered-by",
  "date",
  "etag",
  "connection",
  "keep-alive",
  "x-content-type-options",
  "x-frame-options",
  "referrer-policy",
  "x-request-id"
]

layer(World.layer, { timeout: "60 seconds", excludeTestServices: true })("Socket.IO", (test) => {
  for (const recorded of recording.handshake) {
    test.effect(`answers a handshake as recorded: ${recorded.name}`, () =>
      Effect.gen(function* () {
        const { url } = yield* World
        const [method = "GET", path = "/"] = recorded.request.split(" ")
        const requested = recorded.headers["access-control-allow-headers"]
        const answer = yield* send(url, {
          method,
          path,
          headers: {
            connection: "close",
            ...(requested === undefined
              ? {}
              : { origin: "http://example.com", "access-control-request-headers": requested })
          }
        })
        assert.strictEqual(answer.status, recorded.status)
        const withoutIncidental = (headers: Readonly<Record<string, string>>) =>
          Object.fromEntries(Object.entries(headers).filter(([name]) => !incidental.includes(name)))
        assert.deepStrictEqual(withoutIncidental(answer.headers), withoutIncidental(recorded.headers))
        if (recorded.name === "client bundle") assert.match(answer.text, /^\/\*!\n \* Socket\.IO v4\./)
        else assert.strictEqual(answer.text.replace(/"sid":"[^"]+"/, '"sid":"<sid>"'), recorded.body)
      })
    )
  }

  for (const name of ["socket.io.js", "socket.io.min.js", "socket.io.esm.min.js", "socket.io.min.js.map"]) {
    test.effect(`serves ${name}, and answers 304 to a matching entity tag`, () =>
      Effect.gen(function* () {
        const { url } = yield* World
        const path = `/socket.io/${name}`
        const { headers, status, text } = yield* send(url, { path })
        assert.strictEqual(status, 200)
        assert.isAbove(text.length, 40_000)
        const { etag = "", "content-type": type } = headers
        assert.strictEqual(type, `application/${name.endsWith(".map") ? "json" : "javascript"}; charset=utf-8`)
        const again = yield* send(url, { path: `${path}?v=1`, headers: { "if-none-match": etag } })
        assert.strictEqual(again.status, 304)
        assert.strictEqual(again.text, "")
      })
    )
  }

  for (const { transport, transports } of recording.clients) {
    if (transports === undefined) continue
    test.effect(`connects by ${transports.join(" and ")}`, () =>
      Effect.gen(function* () {
        const { url } = yield* World
        const { socket } = yield* connected(url, { transports: [...transports] })
        yield* until(
          `${transport}`,
          Effect.sync(() => (socket.io.engine.transport.name === transport ? true : undefined))
        )
      }).pipe(Effect.scoped)
    )
  }

  test.effect("Socket.IO refuses other namespaces", () =>
    Effect.gen(function* () {
      const { url } = yield* World
      const { socket } = yield* client(`${url}/foo`)
      const message = yield* Effect.callback<string>((resume) => {
        socket.on("connect_error", (error) => resume(Effect.succeed(error.message)))
      })
      assert.strictEqual(message, "Invalid namespace")
    }).pipe(Effect.scoped)
  )

  for (const transport of ["websocket", "polling"]) {
    test.effect(`ignores invalid payloads by ${transport}, and answers acknowledgements`, () =>
      Effect.gen(function* () {
        const { url } = yield* World
        const odd = yield* connected(url, { transports: [transport] })
        const { id } = odd.socket
        for (const { event, payload } of recording.acks) {
          const sent = payload === "<5000 chars>" ? "x".repeat(5000) : payload
          if (payload === "<none>") odd.socket.emit(event)
          else odd.socket.emit(event, sent)
          if (event === "unknown_event") continue
          const answer = yield* payload === "<none>" ? ask(odd, event) : ask(odd, event, sent)
          assert.deepStrictEqual(answer, { ok: payload === "task-id" }, `${event} ${JSON.stringify(payload)}`)
        }
        assert.deepStrictEqual(yield* ask(odd, "join_task", { task_id: "t" }), { ok: true })
        assert.deepStrictEqual(yield* ask(odd, "join_task", "t", "more"), { ok: true })
        assert.deepStrictEqual(yield* ask(odd, "join_task", { task_id: 5 }), { ok: false })
        assert.strictEqual(odd.socket.id, id)
        assert.isTrue(odd.socket.connected)
        assert.deepStrictEqual(odd.received, [])
      }).pipe(Effect.scoped)
    )
  }

  test.effect("sends the recorded events to the recorded clients", () =>
    Effect.gen(function* () {
      const { sql, url } = yield* World
      const clients = new Map<string, Client>()
      for (const [name, transport] of [
        ["outsider", "websocket"],
        ["joined-ws", "websocket"],
        ["joined-twice", "websocket"],
        ["left", "websocket"],
        ["joined-polling", "polling"]
      ] as const) {
        clients.set(name, yield* connected(url, { transports: [transport] }))
      }
      const ids = new Map<string, string>()
      const decodeArgs = Schema.decodeUnknownSync(Schema.Array(Schema.Json))
      /** Each client gets the recorded events of this step, in order, and nothing else. */
      const expectEvents = Effect.fnUntraced(function* (step: string) {
        const recorded = recording.events[step]?.events ?? []
        for (const [name, { received }] of clients) {
          const expected = recorded.filter((event) => event.client === name).map(({ args, event }) => ({ event, args }))
          yield* until(
            `${step}: ${name}`,
            Effect.sync(() => (received.length >= expected.length ? true : undefined))
          )
          const actual = received.splice(0).map(([event, ...args]) => ({ event, args: decodeArgs(args) }))
          assert.deepStrictEqual(differences(expected, actual, ids, `${step}: ${name}`), [])
          const order = (value: unknown) =>
            JSON.stringify(value, (_, inner: unknown) => (typeof inner === "object" ? inner : 0))
          assert.strictEqual(order(actual), order(expected), "the order of the keys")
        }
      })
      const expectStep = Effect.fnUntraced(function* (step: string, method: string, path: string, body?: unknown) {
        const answer = yield* request(url, method, path, body)
        const status = recording.events[step]?.response?.status
        assert.strictEqual(answer.status, status === 500 ? 404 : status, step)
        yield* expectEvents(step)
        return answer
      })

      const created = yield* expectStep("create", "POST", "/tasks", {
        description: "one",
        model: { provider: "anthropic", name: "m", title: "t" },
        files: [{ name: "a", base64: "AAEC", type: "x/y", size: 3 }]
      })
      const { id } = decodeTask(created.json)
      for (const [name, each] of clients) {
        if (name === "outsider") continue
        yield* ask(each, "join_task", id)
        if (name === "joined-twice") yield* ask(each, "join_task", id)
        if (name === "left") yield* ask(each, "leave_task", { task_id: id })
      }
      yield* expectStep("add message", "POST", `/tasks/${id}/messages`, { message: "hello" })
      // The original stores a message without text; ours refuses it (docs/contract/rest.md).
      assert.strictEqual((yield* request(url, "POST", `/tasks/${id}/messages`, {})).status, 400)
      yield* expectStep("takeover", "POST", `/tasks/${id}/takeover`)
      yield* expectStep("takeover again (400)", "POST", `/tasks/${id}/takeover`)
      const typed = {
        id: crypto.randomUUID(),
        name: "computer_type_text",
        type: "tool_use",
        input: { text: "hi", delay: 3 }
      }
      yield* Write.message(id, [{ type: "user_action", content: [typed] }]).pipe(
        Effect.provideService(SqlClient.SqlClient, sql)
      )
      yield* expectEvents("user action during takeover (task not running)")
      yield* expectStep("resume", "POST", `/tasks/${id}/resume`)
      yield* expectStep("resume again (400)", "POST", `/tasks/${id}/resume`)
      yield* expectStep("cancel", "POST", `/tasks/${id}/cancel`)
      yield* expectStep("cancel again (400)", "POST", `/tasks/${id}/cancel`)
      yield* expectStep("GET one (no events)", "GET", `/tasks/${id}`)
      yield* expectStep("delete", "DELETE", `/tasks/${id}`)
      yield* expectStep("delete again (500)", "DELETE", `/tasks/${id}`)
    }).pipe(Effect.scoped)
  )
})
