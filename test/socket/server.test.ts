import { Agent, request } from "node:http"
import { connect as connectTcp } from "node:net"
import { assert, describe, it, layer } from "@effect/vitest"
import { Context, Deferred, Effect, Exit, Fiber, Layer, Scope } from "effect"
import { HttpRouter, HttpServer, HttpServerRequest, HttpServerResponse } from "effect/http"
import { Socket } from "effect/socket"
import { Accounts } from "../../src/auth/Accounts.ts"
import { Logins } from "../../src/auth/Logins.ts"
import { Settings } from "../../src/config/Settings.ts"
import { Drafts } from "../../src/events/Drafts.ts"
import { Notifications } from "../../src/events/Notifications.ts"
import { TaskEvents } from "../../src/events/TaskEvents.ts"
import { RequestLimits } from "../../src/limits/RequestLimits.ts"
import { Visibility } from "../../src/tasks/Visibility.ts"
import { AddressConnections } from "../../src/transports/AddressConnections.ts"
import * as Server from "../../src/transports/Server.ts"
import * as SocketIo from "../../src/transports/SocketIo.ts"
import { SocketStats } from "../../src/transports/SocketStats.ts"
import { UnfinishedFrames } from "../../src/transports/UnfinishedFrames.ts"
import * as Write from "../events/EventWriter.ts"
import { send } from "../rest/RestService.ts"
import { tap } from "../support/PostgresTap.ts"
import { clientLayer, migrated, TestDatabase } from "../support/TestDatabase.ts"
import { until } from "../support/Waiting.ts"
import { ask, connected, payloads } from "./Clients.ts"

/** Socket.IO and Effect's HTTP server on one port, with routes of the test's own. */

class Slow extends Context.Service<
  Slow,
  { readonly entered: Deferred.Deferred<void>; readonly answer: Deferred.Deferred<void> }
>()("test/Slow") {
  static readonly layer = Layer.effect(
    Slow,
    Effect.all({ entered: Deferred.make<void>(), answer: Deferred.make<void>() })
  )
}

const routes = Layer.mergeAll(
  HttpRouter.add("GET", "/quick", HttpServerResponse.text("quick")),
  HttpRouter.add(
    "GET",
    "/slow",
    Effect.gen(function* () {
      const { answer, entered } = yield* Slow
      yield* Deferred.succeed(entered, undefined)
      yield* Deferred.await(answer)
      return HttpServerResponse.text("slow")
    })
  ),
  HttpRouter.add(
    "GET",
    "/echo",
    Effect.gen(function* () {
      const { upgrade } = yield* HttpServerRequest.HttpServerRequest
      const socket = yield* upgrade
      const [pull, writer] = [yield* Socket.readerString(socket), yield* socket.writer]
      yield* Effect.forever(Effect.flatMap(pull, ([text]) => writer.write(`echo ${text}`)))
      return HttpServerResponse.empty()
    }).pipe(Effect.scoped)
  )
)

/** As the service is composed. */
const server = (variables: Readonly<Record<string, string>> = {}) =>
  SocketIo.layer.pipe(
    Layer.provide([Accounts.off, Logins.off, SocketStats.layer, Visibility.layer]),
    Layer.provide([AddressConnections.layer, UnfinishedFrames.layer, RequestLimits.configured]),
    Layer.provideMerge(HttpRouter.serve(routes, { disableLogger: true, disableListenLog: true })),
    Layer.provideMerge(Server.layer),
    Layer.provideMerge(Slow.layer),
    Layer.provide(TaskEvents.layer.pipe(Layer.provideMerge(Drafts.layer), Layer.provide(Notifications.postgres))),
    Layer.provide(Settings.layerFrom({ HOST: "127.0.0.1", PORT: "0", ...variables }))
  )

const url = Effect.map(HttpServer.HttpServer, ({ address }) => HttpServer.formatAddress(address))

/** A server whose end the test decides about; `context` is what its layers provide. */
const stoppable = Effect.fnUntraced(function* (variables: Readonly<Record<string, string>> = {}) {
  const scope = yield* Scope.fork(yield* Effect.scope)
  const context = yield* Layer.buildWithScope(server(variables), scope)
  return { context, url: Context.get(context, HttpServer.HttpServer).address, stop: Scope.close(scope, Exit.void) }
})

/** One request on the agent's connections; the status, or the error's code. */
const get = (target: string, agent: Agent | false) =>
  Effect.callback<number | string>((resume) => {
    const outgoing = request(target, { agent }, (incoming) => {
      incoming.resume()
      incoming.on("end", () => resume(Effect.succeed(incoming.statusCode ?? 0)))
    })
    outgoing.on("error", (error) => resume(Effect.succeed("code" in error ? String(error.code) : error.message)))
    outgoing.end()
  })

/** The first line that the server answers to the text, or "" when it closes the connection. */
const rawFirstLine = (target: string, text: string) =>
  Effect.callback<string>((resume) => {
    const { hostname, port } = new URL(target)
    const socket = connectTcp(Number(port), hostname, () => socket.write(text))
    const done = (line: string) => {
      socket.destroy()
      resume(Effect.succeed(line))
    }
    socket.once("data", (data) => done(data.toString().split("\r\n")[0] ?? ""))
    socket.once("error", () => done(""))
    socket.once("close", () => done(""))
  })

const upgradeTo = (path: string) =>
  `GET ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`

layer(
  server({ CORS_ORIGINS: "https://app.example.com, https://b.example.com" }).pipe(
    Layer.provide(TestDatabase.withClient)
  ),
  {
    timeout: "60 seconds",
    excludeTestServices: true
  }
)("one port", (test) => {
  test.effect("one port serves Socket.IO, other WebSockets and requests", () =>
    Effect.gen(function* () {
      const base = yield* url
      const client = yield* connected(base, { transports: ["websocket"] })
      const echo = yield* Effect.acquireRelease(
        Effect.sync(() => new WebSocket(`${base.replace("http", "ws")}/echo`)),
        (webSocket) => Effect.sync(() => webSocket.close())
      )
      const heard = yield* Deferred.make<unknown>()
      echo.onopen = () => echo.send("hello")
      echo.onmessage = ({ data }) => Deferred.doneUnsafe(heard, Effect.succeed(data))
      assert.strictEqual(yield* Deferred.await(heard), "echo hello")
      assert.strictEqual((yield* send(base, { path: "/quick" })).text, "quick")
      assert.deepStrictEqual(yield* ask(client, "join_task", "t"), { ok: true })
    }).pipe(Effect.scoped)
  )

  test.effect("one port hands each WebSocket upgrade to its own server", () =>
    Effect.gen(function* () {
      const base = yield* url
      const status = (path: string) => Effect.map(rawFirstLine(base, upgradeTo(path)), (line) => line.split(" ")[1])
      assert.strictEqual(yield* status("/socket.io/?EIO=4&transport=websocket"), "101")
      assert.strictEqual(yield* status("/echo"), "101")
      assert.strictEqual(yield* status("/socket.io/?EIO=4&transport=carrier"), "400")
      assert.strictEqual(yield* status("/socket.io?EIO=4&transport=websocket"), "404")
      assert.strictEqual(yield* status("/nowhere"), "404")
      assert.strictEqual(yield* status("/quick"), "200")
    })
  )

  test.effect("lets pages of CORS_ORIGINS connect to Socket.IO, with credentials", () =>
    Effect.gen(function* () {
      const base = yield* url
      for (const path of ["/socket.io/?EIO=4&transport=polling", "/socket.io/socket.io.js"]) {
        const allowed = yield* send(base, { path, headers: { origin: "https://b.example.com" } })
        assert.strictEqual(allowed.headers["access-control-allow-origin"], "https://b.example.com")
        assert.strictEqual(allowed.headers["access-control-allow-credentials"], "true")
        assert.include(allowed.headers.vary, "Origin")
        const refused = yield* send(base, { path, headers: { origin: "https://evil.example.com" } })
        assert.isUndefined(refused.headers["access-control-allow-origin"])
      }
    })
  )
})

describe("the server", () => {
  it.live("an error names the port in use and what to do", () =>
    Effect.gen(function* () {
      const first = yield* stoppable()
      const { port } = new URL(HttpServer.formatAddress(first.url))
      const failure = yield* Effect.flip(Effect.scoped(Layer.build(server({ PORT: port }))))
      assert.strictEqual(failure._tag, "ListenFailed")
      assert.strictEqual(failure.message, `Port ${port} is in use: stop the other process, or set PORT to another one`)
    }).pipe(Effect.scoped, Effect.provide(TestDatabase.withClient))
  )

  it.live("an error says that this machine does not have the address", () =>
    Effect.gen(function* () {
      const failure = yield* Effect.flip(Effect.scoped(Layer.build(server({ HOST: "192.0.2.1" }))))
      assert.strictEqual(
        failure.message,
        "This machine does not have the address 192.0.2.1: set HOST to 0.0.0.0, or to an address of its own"
      )
    }).pipe(Effect.provide(TestDatabase.withClient))
  )

  it.live("answers 503 while the service starts", () =>
    Effect.gen(function* () {
      const base = yield* url
      for (const path of ["/quick", "/socket.io/?EIO=4&transport=polling"]) {
        const answer = yield* send(base, { path })
        assert.strictEqual(answer.status, 503)
        assert.include(answer.text, '"statusCode":503')
      }
      assert.include(yield* rawFirstLine(base, upgradeTo("/socket.io/?EIO=4&transport=websocket")), "503")
    }).pipe(Effect.provide(Server.layer.pipe(Layer.provide(Settings.layerFrom({ HOST: "127.0.0.1", PORT: "0" })))))
  )

  it.live("shutdown closes sockets, then waits for running requests, and accepts no new ones", () =>
    Effect.gen(function* () {
      const { context, stop, url: address } = yield* stoppable()
      const { answer, entered } = Context.get(context, Slow)
      const base = HttpServer.formatAddress(address)
      const clients = yield* Effect.forEach(["websocket", "polling"], (transport) =>
        connected(base, { transports: [transport] })
      )
      const reasons: Array<string> = []
      for (const { socket } of clients) socket.on("disconnect", (reason) => reasons.push(reason))
      const keepAlive = yield* Effect.acquireRelease(
        Effect.sync(() => new Agent({ keepAlive: true })),
        (agent) => Effect.sync(() => agent.destroy())
      )
      assert.strictEqual(yield* get(`${base}/quick`, keepAlive), 200)
      const slow = yield* get(`${base}/slow`, keepAlive).pipe(Effect.forkScoped)
      yield* Deferred.await(entered)
      const stopping = yield* stop.pipe(Effect.forkScoped)
      yield* until(
        "disconnections",
        Effect.sync(() => (reasons.length === 2 ? true : undefined))
      )
      // Not "io server disconnect", after which clients do not come back by themselves.
      for (const reason of reasons) assert.include(["transport close", "transport error"], reason)
      yield* until(
        "refusal",
        Effect.map(get(`${base}/quick`, false), (result) => (result === "ECONNREFUSED" ? true : undefined))
      )
      assert.isUndefined(slow.pollUnsafe())
      assert.isUndefined(stopping.pollUnsafe())
      yield* Deferred.succeed(answer, undefined)
      assert.strictEqual(yield* Fiber.join(slow), 200)
      yield* Fiber.join(stopping)
    }).pipe(Effect.scoped, Effect.provide(TestDatabase.withClient))
  )

  it.live("shutdown does not wait for a request longer than SHUTDOWN_TIMEOUT", () =>
    Effect.gen(function* () {
      const { context, stop, url: address } = yield* stoppable({ SHUTDOWN_TIMEOUT: "50" })
      const base = HttpServer.formatAddress(address)
      const slow = yield* get(`${base}/slow`, false).pipe(Effect.forkScoped)
      const open = yield* Effect.forkScoped(rawFirstLine(base, "GET /quick HTTP/1.1\r\n"))
      yield* Deferred.await(Context.get(context, Slow).entered)
      yield* stop
      assert.include(["ECONNRESET", 503], yield* Fiber.join(slow))
      assert.strictEqual(yield* Fiber.join(open), "")
    }).pipe(Effect.scoped, Effect.provide(TestDatabase.withClient))
  )

  it.live("loads only events with subscribers", () =>
    Effect.gen(function* () {
      const loads: Array<string> = []
      const way = yield* tap(yield* migrated, ({ texts }) => {
        loads.push(...texts.filter((text) => text.includes('FROM "TaskEvent" e LEFT JOIN "Message"')))
        return "pass"
      })
      yield* Effect.gen(function* () {
        const base = yield* url
        const [watched, other] = [yield* Write.task(), yield* Write.task()]
        const early = yield* connected(base, { reconnection: false })
        yield* Write.event(watched, "for everyone", { kind: "task_created" })
        assert.deepStrictEqual(yield* payloads(early, 1), ["for everyone"])
        assert.strictEqual(loads.length, 1)
        early.socket.disconnect()
        yield* send(base, { path: "/quick" })
        yield* Write.event(watched, "nobody is there", { kind: "task_created" })
        // The notification needs no request's time: after twenty of them it has been heard.
        yield* Effect.repeat(send(base, { path: "/quick" }), { times: 19 })
        const client = yield* connected(base, { reconnection: false })
        yield* ask(client, "join_task", watched)
        yield* Write.event(other, "nobody is in the room")
        yield* Write.event(watched, "seen")
        assert.deepStrictEqual(yield* payloads(client, 1), ["seen"])
        assert.strictEqual(loads.length, 2)
        client.socket.disconnect()
        yield* send(base, { path: "/quick" })
        const second = yield* connected(base)
        yield* Write.event(watched, "nobody is in the room any more")
        yield* Write.event(other, "for everyone", { kind: "task_deleted" })
        assert.deepStrictEqual(yield* payloads(second, 1), ["for everyone"])
        assert.strictEqual(loads.length, 3)
      }).pipe(Effect.scoped, Effect.provide(server().pipe(Layer.provideMerge(clientLayer(way.url)))))
    }).pipe(Effect.scoped)
  )
})
