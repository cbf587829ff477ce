import { assert, layer } from "@effect/vitest"
import { Effect } from "effect"
import { AccountsStage } from "../accounts/AccountsStage.ts"
import { client, untilConnected } from "../socket/Clients.ts"
import { type EngineClient, engineSocket, frame, rawWebSocket } from "../support/EngineClient.ts"
import { rpcSocket } from "../support/RpcSocket.ts"
import { until } from "../support/Waiting.ts"

const untilClosed = ({ isClosed }: EngineClient, wait: "1 second" | "20 seconds" = "20 seconds") =>
  until(
    "the service closes the connection",
    Effect.sync(() => (isClosed() ? true : undefined)),
    wait
  )

const handshake = (url: string) =>
  Effect.promise(() =>
    fetch(`${url}/socket.io/?EIO=4&transport=polling`).then(async (answer) => ({
      status: answer.status,
      sid: /"sid":"([^"]+)"/.exec(await answer.text())?.[1]
    }))
  )

const post = (url: string, sid: string | undefined, body: string) =>
  Effect.promise(() =>
    fetch(`${url}/socket.io/?EIO=4&transport=polling&sid=${sid}`, { method: "POST", body }).then(
      ({ status }) => status,
      () => 0
    )
  )

layer(AccountsStage.layer({ AUTH_ENABLED: "false", BYTEBOT_SOCKETS_PER_ADDRESS: "10" }), {
  timeout: "60 seconds",
  excludeTestServices: true
})("the connections of an address", (test) => {
  test.effect("counts all kinds of connections of an address together, before the caller is known", () =>
    Effect.gen(function* () {
      const { url } = yield* AccountsStage
      const sockets = yield* Effect.forEach([1, 2, 3, 4], () => engineSocket(url))
      assert.deepStrictEqual(
        sockets.map(({ status }) => status),
        ["101", "101", "101", "101"]
      )
      const polling = yield* Effect.forEach([1, 2], () => handshake(url))
      assert.deepStrictEqual(
        polling.map(({ status }) => status),
        [200, 200]
      )
      yield* Effect.forEach([1, 2], () => rpcSocket(url))
      const streams = yield* Effect.forEach([1, 2], () => Effect.promise(() => fetch(`${url}/events`)))
      assert.deepStrictEqual(
        streams.map(({ status }) => status),
        [200, 200]
      )
      // What is open goes on.
      assert.strictEqual(yield* post(url, polling[0]?.sid, "40"), 200)
      assert.strictEqual((yield* engineSocket(url)).status, "429")
      assert.strictEqual((yield* handshake(url)).status, 429)
      assert.strictEqual((yield* rawWebSocket(url, "/rpc")).status, "429")
      assert.strictEqual((yield* Effect.promise(() => fetch(`${url}/events`))).status, 429)
      assert.strictEqual((yield* Effect.promise(() => fetch(`${url}/tasks`))).status, 200)
      yield* Effect.promise(() => Promise.all(streams.map(({ body }) => body?.cancel())))
      yield* until(
        "room for another one",
        Effect.map(handshake(url), ({ status }) => (status === 200 ? true : undefined))
      )
    }).pipe(Effect.scoped)
  )
})

layer(AccountsStage.layer({ AUTH_ENABLED: "false" }), { timeout: "60 seconds", excludeTestServices: true })(
  "an Engine.IO connection that has not entered the namespace",
  (test) => {
    test.effect("closes an Engine.IO connection outside the namespace at a packet above 64 kB, complete or not", () =>
      Effect.gen(function* () {
        const { url } = yield* AccountsStage
        const half = yield* engineSocket(url)
        half.write(frame("4".repeat(100_000), 900_000))
        yield* untilClosed(half)
        const attachment = yield* engineSocket(url)
        attachment.write(frame('451-["x",{"_placeholder":true,"num":0}]'))
        attachment.write(frame("x".repeat(100_000), 100_000, { isBinary: true }))
        yield* untilClosed(attachment)
        const { sid } = yield* handshake(url)
        assert.notStrictEqual(yield* post(url, sid, `4${"x".repeat(100_000)}`), 200)
      }).pipe(Effect.scoped)
    )

    test.effect("closes an Engine.IO connection that has not entered the namespace within 10 seconds", () =>
      Effect.gen(function* () {
        const { url } = yield* AccountsStage
        yield* untilClosed(yield* engineSocket(url))
      }).pipe(Effect.scoped)
    )

    test.effect("takes packets of up to 1 MB in the namespace, and attachments of 64 kB in all", () =>
      Effect.gen(function* () {
        const { url } = yield* AccountsStage
        for (const transports of [["websocket"], ["polling"], ["polling", "websocket"]]) {
          const known = yield* client(url, { transports, reconnection: false })
          yield* untilConnected(known)
          const ask = (payload: unknown) =>
            Effect.promise((): Promise<unknown> => known.socket.timeout(5_000).emitWithAck("join_task", payload))
          assert.deepStrictEqual(yield* ask("x".repeat(900_000)), { ok: false })
          assert.deepStrictEqual(yield* ask(Buffer.alloc(1_000)), { ok: false })
          known.socket.emit("join_task", Buffer.alloc(40_000), Buffer.alloc(40_000))
          yield* until(
            "it is cut off",
            Effect.sync(() => (known.socket.connected ? undefined : true))
          )
        }
      }).pipe(Effect.scoped)
    )
  }
)
