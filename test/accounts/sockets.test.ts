import { assert, layer } from "@effect/vitest"
import { Effect, type Schema } from "effect"
import { ask, type Client, client, connected } from "../socket/Clients.ts"
import { until } from "../support/Waiting.ts"
import { AccountsStage, createTask, people, type Who } from "./AccountsStage.ts"

/** Who hears what on a socket. */

const connect = Effect.fnUntraced(function* (who: Who) {
  const { url } = yield* AccountsStage
  return yield* connected(url, { transports: ["websocket"], extraHeaders: { ...who }, auth: { recovery: true } })
})

const heard = ({ received }: Client, event: string, id: string) =>
  received.some(([name, payload]) => name === event && JSON.stringify(payload)?.includes(id))

const untilHeard = (socket: Client, event: string, id: string) =>
  until(
    `${event} of ${id}`,
    Effect.sync(() => (heard(socket, event, id) ? true : undefined))
  )

const untilGone = ({ socket }: Client) =>
  until(
    "the socket is closed",
    Effect.sync(() => (socket.connected ? undefined : true))
  )

const refusal = (url: string, options: Parameters<typeof client>[1]) =>
  Effect.flatMap(client(url, options), ({ socket }) =>
    Effect.callback<string>((resume) => {
      socket.once("connect_error", ({ message }) => resume(Effect.succeed(message)))
      socket.once("connect", () => resume(Effect.succeed("let in")))
    })
  )

layer(AccountsStage.layer(), { timeout: "60 seconds", excludeTestServices: true })("sockets", (test) => {
  test.effect("a socket connects with a header, the handshake's token, a cookie or a key", () =>
    Effect.gen(function* () {
      const { send, url } = yield* AccountsStage
      const { key, owner } = yield* people
      const token = owner.bearer.authorization?.slice("Bearer ".length)
      for (const transports of [["websocket"], ["polling"]]) {
        assert.strictEqual(yield* refusal(url, { transports }), "Unauthorized")
        assert.strictEqual(yield* refusal(url, { transports, auth: { token: "no" } }), "Unauthorized")
        assert.strictEqual(yield* refusal(url, { transports, auth: { token } }), "let in")
        assert.strictEqual(yield* refusal(url, { transports, extraHeaders: { ...owner.bearer } }), "let in")
        assert.strictEqual(yield* refusal(url, { transports, extraHeaders: { ...key } }), "let in")
      }
      const session = yield* send(owner.bearer, "GET", "/api/auth/get-session")
      assert.strictEqual(session.status, 200)
    })
  )

  test.effect("a socket gets the events of visible tasks only, and joins only their rooms", () =>
    Effect.gen(function* () {
      const { send, sql } = yield* AccountsStage
      const { administrator, owner, stranger } = yield* people
      const sockets = {
        owner: yield* connect(owner.bearer),
        stranger: yield* connect(stranger.bearer),
        administrator: yield* connect(administrator.bearer)
      }
      const id = yield* createTask(owner.bearer, "whose?")
      yield* untilHeard(sockets.owner, "task_created", id)
      yield* untilHeard(sockets.administrator, "task_created", id)

      const join = (socket: Client, task: Schema.Json) => ask(socket, "join_task", task)
      assert.deepStrictEqual(yield* join(sockets.owner, id), { ok: true })
      assert.deepStrictEqual(yield* join(sockets.administrator, { task_id: id }), { ok: true })
      const foreign = yield* join(sockets.stranger, id)
      assert.deepStrictEqual(foreign, yield* join(sockets.stranger, "no such task"))
      // Rooms of other kinds are out of reach, too.
      yield* join(sockets.stranger, "administrators")
      yield* join(sockets.stranger, `user_${owner.id}`)

      yield* send(owner.bearer, "POST", `/tasks/${id}/messages`, { message: "said to the owner" })
      yield* untilHeard(sockets.owner, "new_message", id)
      yield* untilHeard(sockets.administrator, "new_message", id)
      yield* send(owner.bearer, "POST", `/tasks/${id}/takeover`)
      yield* untilHeard(sockets.owner, "task_updated", id)
      yield* send(owner.bearer, "DELETE", `/tasks/${id}`)
      yield* untilHeard(sockets.owner, "task_deleted", id)
      yield* untilHeard(sockets.administrator, "task_deleted", id)

      const orphan = yield* createTask(owner.bearer, "of nobody")
      yield* sql`UPDATE "Task" SET "userId" = NULL WHERE "id" = ${orphan}`
      yield* untilHeard(sockets.administrator, "task_created", orphan)
      yield* send(administrator.bearer, "DELETE", `/tasks/${orphan}`)
      yield* untilHeard(sockets.administrator, "task_deleted", orphan)

      // What the stranger creates comes last: everything before would have come by then.
      const own = yield* createTask(stranger.bearer, "the stranger's")
      yield* untilHeard(sockets.stranger, "task_created", own)
      assert.deepStrictEqual(
        sockets.stranger.received.filter(([, payload]) => !JSON.stringify(payload).includes(own)),
        []
      )
      assert.isFalse(heard(sockets.owner, "task_deleted", orphan))
      assert.isFalse(heard(sockets.owner, "task_created", own))
    })
  )

  test.effect("a socket closes when its login ends: by logout, on another device, or by revoking the key", () =>
    Effect.gen(function* () {
      const { send, sql } = yield* AccountsStage
      const { key, owner, stranger } = yield* people
      const [bySession, byKey, other] = [
        yield* connect(owner.bearer),
        yield* connect(key),
        yield* connect(stranger.bearer)
      ]
      for (const { socket } of [bySession, byKey, other]) socket.io.reconnection(false)
      const [{ id = "" } = {}] = yield* sql<{ id: string }>`SELECT "id" FROM "ApiKey" WHERE "userId" = ${owner.id}`
      assert.strictEqual((yield* send(owner.bearer, "DELETE", `/api-keys/${id}`)).status, 204)
      yield* untilGone(byKey)
      assert.isTrue(bySession.socket.connected)
      assert.strictEqual((yield* send(owner.bearer, "POST", "/api/auth/sign-out", {})).status, 200)
      yield* untilGone(bySession)
      yield* sql`DELETE FROM "User" WHERE "id" = ${stranger.id}`
      yield* untilGone(other)
    })
  )

  test.effect("a lost socket recovers nothing after a logout, and no other user recovers its session", () =>
    Effect.gen(function* () {
      const { send, url } = yield* AccountsStage
      const { owner, stranger } = yield* people
      const id = yield* createTask(owner.bearer)
      const lost = yield* connect(owner.bearer)
      yield* ask(lost, "join_task", id)
      yield* send(owner.bearer, "POST", `/tasks/${id}/messages`, { message: "before" })
      yield* untilHeard(lost, "new_message", id)
      const pid: unknown = Reflect.get(lost.socket, "_pid")
      const offset: unknown = Reflect.get(lost.socket, "_lastOffset")
      assert.isString(pid)
      lost.socket.io.reconnection(false)
      lost.socket.io.engine.close()
      yield* send(owner.bearer, "POST", `/tasks/${id}/messages`, { message: "missed" })

      const thief = yield* connected(url, {
        transports: ["websocket"],
        extraHeaders: { ...stranger.bearer },
        auth: { recovery: true, pid, offset }
      })
      const own = yield* createTask(stranger.bearer)
      yield* untilHeard(thief, "task_created", own)
      assert.isFalse(heard(thief, "new_message", id))

      yield* send(owner.bearer, "POST", "/api/auth/sign-out", {})
      const refused = yield* client(url, {
        transports: ["websocket"],
        extraHeaders: { ...owner.bearer },
        auth: { recovery: true, pid, offset }
      })
      yield* Effect.callback<void>((resume) => {
        refused.socket.once("connect_error", () => resume(Effect.void))
      })
      assert.deepStrictEqual(refused.received, [])
    })
  )
})
