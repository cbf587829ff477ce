import { readFileSync } from "node:fs"
import { assert, layer } from "@effect/vitest"
import { Context, Effect, Layer, Schema } from "effect"
import { io, type Socket } from "socket.io-client"
import { differences } from "../support/Recording.ts"
import { decodeTask, request } from "../support/RestClient.ts"
import { startService } from "../support/TestService.ts"
import { until } from "../support/Waiting.ts"

/** The original's Socket.IO side, as recorded (contract/socketio.md, golden/socket.json). */

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
  events: Schema.Record(Schema.String, Schema.Struct({ events: Schema.Array(Event) })),
  acks: Schema.Array(Schema.Struct({ event: Schema.String, payload: Schema.optionalKey(Schema.Json) }))
})
const recording = Schema.decodeUnknownSync(Schema.fromJsonString(Recording))(
  readFileSync(new URL("../fixtures/golden/socket.json", import.meta.url), "utf8")
)

class World extends Context.Service<World, { readonly url: string }>()("test/World") {
  static readonly layer = Layer.effect(World, startService({ ANTHROPIC_API_KEY: "unused" }))
}

const connect = (url: string, transports: ReadonlyArray<string>, path = "") =>
  Effect.acquireRelease(
    Effect.sync(() => io(`${url}${path}`, { transports: [...transports], forceNew: true })),
    (socket) => Effect.sync(() => socket.disconnect())
  )

const connected = (socket: Socket) =>
  until(
    "connection",
    Effect.sync(() => socket.connected || undefined)
  )

layer(World.layer, { timeout: "60 seconds", excludeTestServices: true })("Socket.IO", (test) => {
  for (const recorded of recording.handshake) {
    test.effect(`answers a handshake as recorded: ${recorded.name}`, () =>
      Effect.gen(function* () {
        const { url } = yield* World
        const [method = "GET", path = "/"] = recorded.request.split(" ")
        const answer = yield* Effect.promise(async () => {
          const response = await fetch(`${url}${path}`, {
            method,
            headers:
              method === "OPTIONS"
                ? { origin: "http://example.com", "access-control-request-headers": "content-type" }
                : {}
          })
          return { status: response.status, headers: response.headers, body: await response.text() }
        })
        assert.strictEqual(answer.status, recorded.status)
        for (const name of ["access-control-allow-origin", "access-control-allow-methods", "content-type"]) {
          const expected = recorded.headers[name]
          if (expected !== undefined) assert.strictEqual(answer.headers.get(name), expected)
        }
        if (recorded.name === "client bundle") assert.isAbove(answer.body.length, 100_000)
        else assert.strictEqual(answer.body.replace(/"sid":"[^"]+"/, '"sid":"<sid>"'), recorded.body)
      })
    )
  }

  test.effect("refuses other namespaces", () =>
    Effect.gen(function* () {
      const { url } = yield* World
      const socket = yield* connect(url, ["websocket"], "/foo")
      const message = yield* Effect.callback<string>((resume) => {
        socket.on("connect_error", (error) => resume(Effect.succeed(error.message)))
      })
      assert.strictEqual(message, "Invalid namespace")
    }).pipe(Effect.scoped)
  )

  test.effect("survives odd payloads", () =>
    Effect.gen(function* () {
      const { url } = yield* World
      const socket = yield* connect(url, ["websocket"])
      yield* connected(socket)
      for (const { event, payload } of recording.acks) {
        socket.emit(event, payload === "<5000 chars>" ? "x".repeat(5000) : payload)
        socket.emit(event)
      }
      yield* Effect.promise(() => socket.timeout(5000).emitWithAck("join_task", { task_id: "t" }))
      assert.isTrue(socket.connected)
    }).pipe(Effect.scoped)
  )

  test.effect("sends the recorded events to the recorded clients", () =>
    Effect.gen(function* () {
      const { url } = yield* World
      const received: Array<typeof Event.Type> = []
      const decodeArgs = Schema.decodeUnknownSync(Schema.Array(Schema.Json))
      const clients = new Map<string, Socket>()
      for (const [name, transport] of [
        ["outsider", "websocket"],
        ["joined-ws", "websocket"],
        ["joined-twice", "websocket"],
        ["left", "websocket"],
        ["joined-polling", "polling"]
      ] as const) {
        const socket = yield* connect(url, [transport])
        // Connection state recovery adds an offset behind the payload.
        socket.onAny((event: string, ...args: ReadonlyArray<unknown>) =>
          received.push({ client: name, event, args: decodeArgs(args.slice(0, 1)) })
        )
        yield* connected(socket)
        clients.set(name, socket)
      }
      const ids = new Map<string, string>()
      /** Each client got the recorded events of this step, in order, and nothing else. */
      const expectEvents = Effect.fnUntraced(function* (step: string) {
        const expected = recording.events[step]?.events ?? []
        yield* until(
          step,
          Effect.sync(() => (received.length >= expected.length ? true : undefined))
        )
        for (const name of clients.keys()) {
          const of = (events: ReadonlyArray<typeof Event.Type>) => events.filter(({ client }) => client === name)
          assert.deepStrictEqual(differences(of(expected), of(received), ids, step), [])
        }
        received.length = 0
      })

      const created = yield* request(url, "POST", "/tasks", {
        description: "one",
        model: { provider: "anthropic", name: "m", title: "t" },
        files: [{ name: "a", base64: "AAEC", type: "x/y", size: 3 }]
      })
      const { id } = decodeTask(created.json)
      yield* expectEvents("create")
      for (const [name, socket] of clients) {
        if (name === "outsider") continue
        yield* Effect.promise(() => socket.emitWithAck("join_task", id))
        if (name === "joined-twice") yield* Effect.promise(() => socket.emitWithAck("join_task", id))
        if (name === "left") yield* Effect.promise(() => socket.emitWithAck("leave_task", id))
      }
      yield* request(url, "POST", `/tasks/${id}/messages`, { message: "hello" })
      yield* expectEvents("add message")
      yield* request(url, "POST", `/tasks/${id}/takeover`)
      yield* expectEvents("takeover")
      yield* request(url, "POST", `/tasks/${id}/takeover`)
      yield* expectEvents("takeover again (400)")
      yield* request(url, "POST", `/tasks/${id}/resume`)
      yield* expectEvents("resume")
      yield* request(url, "POST", `/tasks/${id}/resume`)
      yield* expectEvents("resume again (400)")
      yield* request(url, "POST", `/tasks/${id}/cancel`)
      yield* expectEvents("cancel")
      yield* request(url, "POST", `/tasks/${id}/cancel`)
      yield* expectEvents("cancel again (400)")
      yield* request(url, "DELETE", `/tasks/${id}`)
      yield* expectEvents("delete")
      assert.strictEqual((yield* request(url, "DELETE", `/tasks/${id}`)).status, 404)
      yield* expectEvents("delete again (500)")
    }).pipe(Effect.scoped)
  )
})
