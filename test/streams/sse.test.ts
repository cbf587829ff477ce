import { assert, layer } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { AccountsStage, createTask, people } from "../accounts/AccountsStage.ts"
import { client, untilConnected } from "../socket/Clients.ts"
import { until } from "../support/Waiting.ts"
import { untilSeen, watch } from "./Watcher.ts"

const say = Effect.fnUntraced(function* (id: string, message: string) {
  const { send } = yield* AccountsStage
  assert.strictEqual((yield* send({}, "POST", `/tasks/${id}/messages`, { message })).status, 201)
})

const texts = (seen: ReadonlyArray<{ readonly data: unknown }>) =>
  seen.map(({ data }) => /"text":"([^"]*)"/.exec(JSON.stringify(data))?.[1])

layer(AccountsStage.layer({ AUTH_ENABLED: "false", ANTHROPIC_API_KEY: "" }), {
  timeout: "60 seconds",
  excludeTestServices: true
})("Server-Sent Events", (test) => {
  const model = { provider: "anthropic", name: "m" }
  const create = Effect.gen(function* () {
    const { send } = yield* AccountsStage
    const { json } = yield* send({}, "POST", "/tasks", {
      description: "watched",
      model,
      scheduledFor: "2099-01-01T00:00:00Z"
    })
    return Schema.decodeUnknownSync(Schema.Struct({ id: Schema.String }))(json).id
  })

  test.effect("Server-Sent Events of a task have the bytes of Socket.IO's, in order", () =>
    Effect.gen(function* () {
      const { send, url } = yield* AccountsStage
      const id = yield* create
      const { seen, source } = yield* watch(`${url}/tasks/${id}/events`)
      const socket = yield* client(url, { transports: ["websocket"] })
      yield* untilConnected(socket)
      yield* Effect.promise(() => socket.socket.emitWithAck("join_task", id))
      yield* say(id, "first")
      yield* say(yield* create, "of another task")
      yield* say(id, "second")
      yield* send({}, "POST", `/tasks/${id}/takeover`)
      const ownSoFar = () => socket.received.filter(([, payload]) => JSON.stringify(payload).includes(id))
      // What was not told yet goes with its task.
      yield* untilSeen(seen, 3)
      yield* until(
        "Socket.IO has them, too",
        Effect.sync(() => (ownSoFar().length >= 3 ? true : undefined))
      )
      yield* send({}, "DELETE", `/tasks/${id}`)
      yield* untilSeen(seen, 4)
      assert.deepStrictEqual(
        seen.map(({ event }) => event),
        ["new_message", "new_message", "task_updated", "task_deleted"]
      )
      const own = () =>
        socket.received.filter(([event, payload]) => event !== "task_created" && JSON.stringify(payload).includes(id))
      yield* until(
        "Socket.IO has it, too",
        Effect.sync(() => (own().length === 4 ? true : undefined))
      )
      assert.deepStrictEqual(
        seen.map(({ event, data }) => [event, data]),
        own().map(([event, payload]) => [event, payload])
      )
      // It comes back, and there is no such task any more.
      yield* until(
        "the stream is over",
        Effect.sync(() => (source.readyState === source.CLOSED ? true : undefined))
      )
    })
  )

  test.effect("Server-Sent Events go on after the client's last event, without a gap and each once", () =>
    Effect.gen(function* () {
      const { url } = yield* AccountsStage
      const id = yield* create
      const first = yield* watch(`${url}/tasks/${id}/events`)
      for (const text of ["1", "2", "3"]) yield* say(id, text)
      yield* untilSeen(first.seen, 3)
      const position = first.seen[1]?.id ?? ""
      first.source.close()
      for (const text of ["4", "5"]) yield* say(id, text)
      for (const second of [
        yield* watch(`${url}/tasks/${id}/events`, { "last-event-id": position }),
        yield* watch(`${url}/api/tasks/${id}/events?after=${position}`)
      ]) {
        yield* untilSeen(second.seen, 3)
        yield* say(id, "live")
        yield* until(
          "live",
          Effect.sync(() => (texts(second.seen).includes("live") ? true : undefined))
        )
        assert.deepStrictEqual(texts(second.seen).slice(0, 4), ["3", "4", "5", "live"])
      }
      const all = yield* watch(`${url}/tasks/${id}/events?after=0`)
      yield* untilSeen(all.seen, 8)
      assert.deepStrictEqual(all.seen.map(({ event }) => event).slice(0, 2), ["task_created", "new_message"])
    })
  )

  test.effect(
    "Server-Sent Events of all tasks go on after the last event; concurrent writes lose and double none",
    () =>
      Effect.gen(function* () {
        const { url } = yield* AccountsStage
        const ids = yield* Effect.all(Array.from({ length: 6 }, () => create))
        const { seen: before, source } = yield* watch(`${url}/events`)
        const writing = Effect.forEach(
          Array.from({ length: 120 }, (_, index) => index),
          (index) => say(ids[index % ids.length] ?? "", `message ${index}`),
          { concurrency: 12, discard: true }
        )
        yield* Effect.forkChild(writing)
        yield* untilSeen(before, 30)
        source.close()
        const { seen: after } = yield* watch(`${url}/events`, { "last-event-id": before.at(-1)?.id ?? "" })
        yield* until(
          "all",
          Effect.sync(() => (before.length + after.length >= 120 ? true : undefined))
        )
        const heard = texts([...before, ...after])
        assert.strictEqual(new Set(heard).size, 120)
        assert.strictEqual(heard.length, 120)
        for (const id of ids) {
          const own = [...before, ...after]
            .filter(({ data }) => JSON.stringify(data).includes(id))
            .map(({ id }) => Number(id.split("-")[0]))
          assert.strictEqual(own.length, 20)
        }
      })
  )

  test.effect("an event stream reports an invalid position, and events that are not kept any more", () =>
    Effect.gen(function* () {
      const { send, sql, url } = yield* AccountsStage
      assert.strictEqual((yield* send({}, "GET", "/tasks/none/events")).status, 404)
      assert.strictEqual((yield* send({}, "GET", "/events?after=soon")).status, 400)
      const id = yield* create
      const [row] = yield* sql<{ id: bigint }>`SELECT max("id") AS id FROM "TaskEvent"`
      yield* say(id, "kept")
      yield* sql`DELETE FROM "TaskEvent" WHERE "id" <= ${row?.id ?? 0n}`
      const { seen } = yield* watch(`${url}/tasks/${id}/events?after=${row?.id}`)
      yield* untilSeen(seen, 2)
      assert.deepStrictEqual(
        seen.map(({ event }) => event),
        ["gap", "new_message"]
      )
    })
  )
})

layer(AccountsStage.layer(), { timeout: "60 seconds", excludeTestServices: true })(
  "Server-Sent Events and accounts",
  (test) => {
    test.effect("an event stream has the caller's events only, and ends with the login", () =>
      Effect.gen(function* () {
        const { send, url } = yield* AccountsStage
        const { administrator, owner, stranger } = yield* people
        const id = yield* createTask(owner.bearer)
        assert.strictEqual((yield* send({}, "GET", "/events")).status, 401)
        assert.strictEqual((yield* send({}, "GET", `/tasks/${id}/events`)).status, 401)
        assert.strictEqual((yield* send(stranger.bearer, "GET", `/tasks/${id}/events`)).status, 404)
        const owners = yield* watch(`${url}/events`, owner.bearer)
        const strangers = yield* watch(`${url}/events?after=0`, stranger.bearer)
        const administrators = yield* watch(`${url}/tasks/${id}/events`, administrator.bearer)
        yield* send(owner.bearer, "POST", `/tasks/${id}/messages`, { message: "mine" })
        yield* untilSeen(owners.seen, 1)
        yield* untilSeen(administrators.seen, 1)
        const other = yield* createTask(stranger.bearer)
        yield* untilSeen(strangers.seen, 1)
        assert.isTrue(strangers.seen.every(({ data }) => JSON.stringify(data).includes(other)))
        yield* send(owner.bearer, "POST", "/api/auth/sign-out", {})
        yield* until(
          "it is over",
          Effect.sync(() => (owners.source.readyState === owners.source.CLOSED ? true : undefined))
        )
      })
    )
  }
)
