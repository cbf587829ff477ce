import { connect } from "node:net"
import { assert, describe, it } from "@effect/vitest"
import { Effect, type Scope } from "effect"
import { engineSocket, frame, rawWebSocket } from "../support/EngineClient.ts"
import { peakOf } from "../support/Memory.ts"
import { call } from "../support/RpcSocket.ts"
import { freePort, spawnService, untilReady } from "../support/ServiceProcess.ts"
import { migrated } from "../support/TestDatabase.ts"

/** Hostile connections of one address at a time. */
const connections = 200

/** Bytes of memory that the service may take at its peak, and milliseconds in which `/health` has to answer. */
const mostMemory = 400 * 1024 * 1024
const healthWithin = 1_000

/** Times that health is asked while the connections are open. */
const rounds = 30

/** A connection on which bytes are written, and nothing is read. */
const deaf = (url: string, bytes: string | Buffer) =>
  Effect.acquireRelease(
    Effect.callback<{ readonly close: () => void }>((resume) => {
      const { hostname, port } = new URL(url)
      const socket = connect(Number(port), hostname, () => {
        socket.pause()
        socket.write(bytes)
        resume(Effect.succeed({ close: () => void socket.destroy() }))
      })
      socket.on("error", () => undefined)
    }),
    ({ close }) => Effect.sync(close)
  )

const megabyte = 1024 * 1024
const lists = `[${"[],".repeat(megabyte / 4)}[]]`
const half = frame("4".repeat(950_000), 999_000)

const kinds: ReadonlyArray<readonly [string, (url: string) => Effect.Effect<unknown, never, Scope.Scope>]> = [
  [
    "RPC frames of empty lists",
    (url) => Effect.tap(rawWebSocket(url, "/rpc"), ({ write }) => Effect.sync(() => write(frame(lists))))
  ],
  [
    "unfinished RPC frames",
    (url) =>
      Effect.tap(rawWebSocket(url, "/rpc"), ({ write }) =>
        Effect.sync(() => write(frame("x".repeat(4 * megabyte), 49 * megabyte)))
      )
  ],
  [
    "RPC sockets full of streams and calls",
    (url) =>
      Effect.tap(rawWebSocket(url, "/rpc"), ({ write }) =>
        Effect.sync(() => {
          for (let id = 0; id < 200; id++) write(frame(call(id, "WatchTasks")))
          for (let id = 200; id < 250; id++) write(frame(call(id, "ListTasks")))
        })
      )
  ],
  [
    "Engine.IO packets before CONNECT",
    (url) => Effect.tap(engineSocket(url), ({ write }) => Effect.sync(() => write(half)))
  ],
  [
    "attachments after CONNECT",
    (url) =>
      Effect.tap(engineSocket(url), ({ write }) =>
        Effect.sync(() => {
          write(frame("40"))
          write(frame('4510-["x",{"_placeholder":true,"num":0}]'))
          for (let index = 0; index < 9; index++) write(frame("x".repeat(900_000), 900_000, { isBinary: true }))
        })
      )
  ],
  [
    "unfinished packets after CONNECT",
    (url) =>
      Effect.tap(engineSocket(url), ({ write }) =>
        Effect.sync(() => {
          write(frame("40"))
          write(half)
        })
      )
  ],
  [
    "polling handshakes",
    (url) => deaf(url, "GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(20))
  ],
  ["event streams that are not read", (url) => deaf(url, "GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")],
  [
    "slow bodies",
    (url) =>
      deaf(
        url,
        `POST /tasks HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 200000\r\n\r\n{"a":"${"x".repeat(100_000)}`
      )
  ]
]

describe("200 hostile connections of one address", () => {
  it.live.each(kinds)(
    "200 hostile connections of one address leave /health quick and the memory small: %s",
    ([, open]) =>
      Effect.gen(function* () {
        const databaseUrl = yield* migrated
        const service = yield* spawnService(yield* freePort, {
          DATABASE_URL: databaseUrl,
          ANTHROPIC_API_KEY: "test-key",
          ANTHROPIC_BASE_URL: "http://127.0.0.1:1",
          LOG_LEVEL: "error"
        })
        yield* untilReady(service)
        yield* Effect.forEach(Array.from({ length: connections }), () => open(service.url), {
          concurrency: 50,
          discard: true
        })
        let slowest = 0
        for (let round = 0; round < rounds; round++) {
          const begun = performance.now()
          const { status } = yield* Effect.tryPromise(() => fetch(`${service.url}/health`)).pipe(
            Effect.orElseSucceed(() => ({ status: 0 }))
          )
          assert.strictEqual(status, 200, service.output().slice(-2_000))
          slowest = Math.max(slowest, performance.now() - begun)
        }
        const largest = yield* peakOf(service.pid)
        yield* Effect.logInfo(`health ${Math.round(slowest)} ms, memory ${Math.round(largest / megabyte)} MB`)
        assert.isBelow(largest, mostMemory, "bytes of memory")
        assert.isBelow(slowest, healthWithin, "milliseconds of the slowest health answer")
      }).pipe(Effect.scoped),
    120_000
  )
})
