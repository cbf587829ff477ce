import { assert, layer } from "@effect/vitest"
import { Effect, Fiber, Option, Schema } from "effect"
import { connected } from "../socket/Clients.ts"
import { freePort } from "../support/ServiceProcess.ts"
import { until } from "../support/Waiting.ts"
import { Server, setUp } from "./OutageStage.ts"

/** A client that joins a task's room while the database is away. */

const decodeToken = Schema.decodeUnknownOption(Schema.Struct({ token: Schema.String }))
const decodeId = Schema.decodeUnknownSync(Schema.Struct({ id: Schema.String }))

const send = (url: string, headers: Readonly<Record<string, string>>, body?: Readonly<Record<string, string>>) =>
  Effect.promise(async () => {
    const response = await fetch(url, {
      headers: { ...headers, "content-type": "application/json" },
      ...(body === undefined ? {} : { method: "POST", body: JSON.stringify(body) })
    })
    const json: unknown = await response.json()
    return { status: response.status, json }
  })

layer(Server.layer, { timeout: "60 seconds", excludeTestServices: true })("join_task during an outage", (test) => {
  test.effect("is answered when the database is back, and the client hears of the task from then on", () =>
    Effect.gen(function* () {
      const port = yield* freePort
      const { network, url } = yield* setUp({
        PORT: String(port),
        AUTH_ENABLED: "true",
        BETTER_AUTH_SECRET: "planted-secret-of-the-tests-0123456789abcdef",
        BETTER_AUTH_URL: `http://127.0.0.1:${port}`
      })
      const account = { email: "joins@example.org", password: "correct horse battery", name: "joins" }
      yield* send(`${url}/api/auth/sign-up/email`, {}, account)
      const { token } = yield* until(
        "the account exists",
        Effect.map(send(`${url}/api/auth/sign-in/email`, {}, account), ({ json }) =>
          Option.getOrUndefined(decodeToken(json))
        )
      )
      const who = { authorization: `Bearer ${token}` }
      const { id } = decodeId(
        (yield* send(`${url}/tasks`, who, { description: "later", scheduledFor: "2099-01-01T00:00:00Z" })).json
      )
      const client = yield* connected(url, { transports: ["websocket"], extraHeaders: who })
      network.refuse()
      const joined = yield* Effect.forkChild(
        Effect.promise((): Promise<unknown> => client.socket.emitWithAck("join_task", id))
      )
      // The outage outlasts the time for which the service tries again on behalf of a request.
      for (let asked = 0; asked < 4; asked++) {
        assert.strictEqual((yield* send(`${url}/tasks/${id}`, who)).status, 503)
      }
      network.accept()
      assert.deepStrictEqual(yield* Fiber.join(joined), { ok: true })
      yield* until(
        "a message is heard of",
        Effect.gen(function* () {
          yield* send(`${url}/tasks/${id}/messages`, who, { message: "hello" })
          return client.received.find(([event]) => event === "new_message")
        })
      )
    }).pipe(Effect.scoped)
  )
})
