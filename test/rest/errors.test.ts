import { connect, createServer, type Socket } from "node:net"
import { assert, layer } from "@effect/vitest"
import { Context, Effect, Layer, Schedule, Schema } from "effect"
import { FetchHttpClient } from "effect/http"
import { HttpApiClient } from "effect/http-api"
import { Api } from "../../src/api/Api.ts"
import { TaskId } from "../../src/domain/Task.ts"
import {
  InvalidRequest,
  NoModelConfigured,
  TaskAlreadyFinished,
  TaskNotFound,
  TaskNotUnderAgentControl,
  TaskNotUnderUserControl
} from "../../src/domain/TaskErrors.ts"
import { migrated } from "../support/TestDatabase.ts"
import { RestService, recordedModels } from "./RestService.ts"

const client = Effect.flatMap(RestService, ({ url }) => HttpApiClient.make(Api, { baseUrl: url }))
const serviceAndFetch = Layer.merge(RestService.layer(recordedModels), FetchHttpClient.layer)

layer(serviceAndFetch, { excludeTestServices: true })("Errors", (it) => {
  it.effect("a derived client gets the tagged errors that the service raised", () =>
    Effect.gen(function* () {
      const { models, root, tasks, messages } = yield* client
      assert.strictEqual(yield* root.greeting(), "Hello World!")
      assert.strictEqual((yield* models.list()).length, 2)
      const id = TaskId.make("a/b %\n?ü")
      const params = { id }
      assert.deepStrictEqual(yield* Effect.flip(tasks.get({ params })), new TaskNotFound({ id }))
      assert.deepStrictEqual(yield* Effect.flip(tasks.remove({ params })), new TaskNotFound({ id }))
      assert.deepStrictEqual(
        yield* Effect.flip(messages.add({ params, payload: { message: "x" } })),
        new TaskNotFound({ id })
      )

      const task = yield* tasks.create({
        payload: { description: "x", files: [{ name: "a", base64: "AAEC", size: 3 }] }
      })
      const own = { params: { id: task.id } }
      assert.deepStrictEqual(yield* Effect.flip(tasks.resume(own)), new TaskNotUnderUserControl({ id: task.id }))
      yield* tasks.takeover(own)
      assert.deepStrictEqual(yield* Effect.flip(tasks.takeover(own)), new TaskNotUnderAgentControl({ id: task.id }))
      assert.strictEqual((yield* tasks.cancel(own)).status, "CANCELLED")
      assert.deepStrictEqual(yield* Effect.flip(tasks.cancel(own)), new TaskAlreadyFinished({ id: task.id }))
      assert.deepStrictEqual(yield* tasks.list({ query: { statuses: ["CANCELLED"], page: 1 } }), {
        tasks: [yield* Effect.map(tasks.get(own), ({ files: _, ...shown }) => shown)],
        total: 1,
        totalPages: 1
      })
      assert.strictEqual((yield* messages.processed({ ...own, query: {} }))[0]?.role, "USER")
      const nul = { params: { id: TaskId.make("\0") } }
      assert.isTrue(Schema.isSchemaError(yield* Effect.flip(tasks.get(nul))))
      assert.deepStrictEqual(
        yield* Effect.flip(messages.list({ ...own, query: { limit: 10_001 } })),
        new InvalidRequest({ message: "limit: expected a whole number from 0 to 10000" })
      )
    })
  )

  it.effect("an unexpected error shows a reference and no internals", () =>
    Effect.gen(function* () {
      const { send, sql } = yield* RestService
      yield* sql`ALTER TABLE "Message" RENAME TO "Elsewhere"`
      const answer = yield* send({ path: "/tasks/x/messages" })
      yield* sql`ALTER TABLE "Elsewhere" RENAME TO "Message"`
      assert.strictEqual(answer.status, 500)
      assert.match(answer.text, /^\{"statusCode":500,"message":"Internal server error","reference":"[0-9a-f-]{36}"\}$/)
      assert.strictEqual(answer.headers["content-type"], "application/json; charset=utf-8")
      assert.strictEqual(answer.headers["access-control-allow-origin"], "*")
      assert.strictEqual((yield* send({ path: "/tasks/x/messages" })).text, "[]")
    })
  )
})

/** A way to the tests' database server that can be closed and opened again. */
class Gate extends Context.Service<
  Gate,
  { readonly url: string; readonly close: Effect.Effect<void>; readonly open: Effect.Effect<void> }
>()("test/Gate") {
  static readonly layer = Layer.effect(
    Gate,
    Effect.gen(function* () {
      const target = new URL(yield* migrated)
      const sockets = new Set<Socket>()
      const cut = () => {
        for (const socket of sockets) socket.destroy()
      }
      const gate = createServer((incoming) => {
        const outgoing = connect(Number(target.port), target.hostname)
        for (const socket of [incoming, outgoing]) {
          sockets.add(socket)
          socket.on("error", () => socket.destroy())
          socket.on("close", () => {
            sockets.delete(socket)
            incoming.destroy()
            outgoing.destroy()
          })
        }
        incoming.pipe(outgoing).pipe(incoming)
      })
      const listen = (port: number) =>
        Effect.callback<void>((resume) => {
          gate.listen(port, "127.0.0.1", () => resume(Effect.void))
        })
      const close = Effect.callback<void>((resume) => {
        gate.close(() => resume(Effect.void))
        cut()
      })
      yield* listen(0)
      yield* Effect.addFinalizer(() => close)
      const address = gate.address()
      const port = typeof address === "object" && address !== null ? address.port : 0
      const url = new URL(target)
      url.hostname = "127.0.0.1"
      url.port = String(port)
      return { url: url.href, close, open: listen(port) }
    })
  )
}

const serviceBehindGate = Layer.unwrap(
  Effect.map(Gate, ({ url }) => RestService.layer({ ...recordedModels, DATABASE_URL: url }))
).pipe(Layer.provideMerge(Gate.layer))

layer(serviceBehindGate, { excludeTestServices: true })("Without its database", (it) => {
  it.effect("answers 503 without its database, and goes on when the database is back", () =>
    Effect.gen(function* () {
      const { send } = yield* RestService
      const gate = yield* Gate
      yield* gate.close
      for (const path of ["/tasks", "/tasks/x", "/tasks/x/messages"]) {
        const answer = yield* send({ path })
        assert.strictEqual(answer.status, 503, answer.text)
        assert.strictEqual(
          answer.text,
          '{"message":"The database is not available right now","error":"Service Unavailable","statusCode":503}'
        )
      }
      assert.strictEqual((yield* send({ path: "/tasks/models" })).status, 200)
      yield* gate.open
      const back = yield* send({ path: "/tasks/x" }).pipe(
        Effect.repeat({ until: ({ status }) => status === 404, schedule: Schedule.spaced(20), times: 200 })
      )
      assert.strictEqual(back.status, 404)
    })
  )
})

layer(RestService.layer({}), { excludeTestServices: true })("Without a model", (it) => {
  it.effect("refuses a task without a model if no model is configured, and says what to set", () =>
    Effect.gen(function* () {
      const { post } = yield* RestService
      const answer = yield* post("/tasks", { description: "x" })
      assert.strictEqual(answer.status, 400)
      assert.deepStrictEqual(JSON.parse(answer.text), {
        message: new NoModelConfigured().message,
        error: "Bad Request",
        statusCode: 400
      })
      const named = yield* post("/tasks", { description: "x", model: { provider: "anthropic", name: "m" } })
      assert.strictEqual(named.status, 201)
    })
  )
})
