import { assert, layer } from "@effect/vitest"
import { Effect } from "effect"
import { AccountsStage, password, people, uniqueEmail } from "../accounts/AccountsStage.ts"
import { call, type RpcSocket, rpcSocket } from "../support/RpcSocket.ts"
import { until } from "../support/Waiting.ts"

const megabyte = 1024 * 1024

const exitsOf = ({ received }: RpcSocket) => received.filter(({ _tag }) => _tag === "Exit")

const exits = (socket: RpcSocket, count: number) =>
  until(
    `${count} answers`,
    Effect.sync(() => (exitsOf(socket).length >= count ? exitsOf(socket) : undefined)),
    "30 seconds"
  )

const untilClosed = (socket: RpcSocket) =>
  until(
    "the service closes the socket",
    Effect.sync(() => socket.closed())
  )

const decodes = (text: unknown, part: string) => JSON.stringify(text).includes(part)

layer(AccountsStage.layer(), { timeout: "60 seconds", excludeTestServices: true })(
  "RPC while accounts are on",
  (test) => {
    test.effect("closes a socket whose caller is unknown at a frame above 1 MB", () =>
      Effect.gen(function* () {
        const { url } = yield* AccountsStage
        const socket = yield* rpcSocket(url)
        socket.send(`[${"[],".repeat(7 * megabyte)}[]]`)
        assert.strictEqual(yield* untilClosed(socket), 1009)
      }).pipe(Effect.scoped)
    )

    test.effect("takes frames above 1 MB once the caller is known, by the handshake or by an earlier call", () =>
      Effect.gen(function* () {
        const { url } = yield* AccountsStage
        const { owner } = yield* people
        const bearer = owner.bearer.authorization ?? ""
        const file = {
          name: "a.bin",
          base64: Buffer.alloc(3 * megabyte).toString("base64"),
          type: "a/b",
          size: 3 * megabyte
        }
        const task = { description: "with a file", files: [file] }
        const byHandshake = yield* rpcSocket(url, { authorization: bearer })
        byHandshake.send(call(1, "CreateTask", task))
        const [created] = yield* exits(byHandshake, 1)
        assert.isTrue(decodes(created, '"_tag":"Success"'), JSON.stringify(created))
        const byCall = yield* rpcSocket(url)
        byCall.send(call(1, "ListDesktops", null, [["authorization", bearer]]))
        yield* exits(byCall, 1)
        byCall.send(call(2, "CreateTask", task, [["authorization", bearer]]))
        const [, second] = yield* exits(byCall, 2)
        assert.isTrue(decodes(second, '"_tag":"Success"'), JSON.stringify(second))
      }).pipe(Effect.scoped)
    )

    test.effect("goes by the origin of the handshake: no message changes it", () =>
      Effect.gen(function* () {
        const { send, sql, url } = yield* AccountsStage
        const account = { email: uniqueEmail(), password, name: "Eve's victim" }
        yield* send({ origin: url }, "POST", "/api/auth/sign-up/email", account)
        const signedIn = yield* send({ origin: url }, "POST", "/api/auth/sign-in/email", account)
        const cookie = signedIn.headers
          .getSetCookie()
          .map((line) => line.split(";", 1)[0])
          .join("; ")
        const foreign = yield* rpcSocket(url, { cookie, origin: "https://evil.example" })
        const description = "created from a foreign page"
        for (const name of ["origin", "Origin", "referer", "cookie", "x-api-key"]) {
          foreign.send(call(foreign.received.length + 1, "CreateTask", { description }, [[name, url]]))
          const answers = yield* exits(foreign, foreign.received.length + 1)
          assert.isTrue(decodes(answers.at(-1), "Forbidden"), `${name}: ${JSON.stringify(answers.at(-1))}`)
        }
        assert.deepStrictEqual(yield* sql`SELECT 1 FROM "Task" WHERE "description" = ${description}`, [])
        const own = yield* rpcSocket(url, { cookie, origin: url })
        own.send(call(1, "CreateTask", { description: "created from a page of ours" }))
        assert.isTrue(decodes((yield* exits(own, 1))[0], '"_tag":"Success"'))
      }).pipe(Effect.scoped)
    )
  }
)

layer(AccountsStage.layer({ AUTH_ENABLED: "false" }), { timeout: "60 seconds", excludeTestServices: true })(
  "RPC while accounts are off",
  (test) => {
    test.effect("refuses a frame of more values than a call has, before it is parsed", () =>
      Effect.gen(function* () {
        const { url } = yield* AccountsStage
        for (const frame of [`[${"[],".repeat(100_000)}[]]`, `${"[".repeat(500_000)}`, `{"a":${"[".repeat(200)}`]) {
          const socket = yield* rpcSocket(url)
          socket.send(frame)
          const [defect] = yield* until(
            "an answer",
            Effect.sync(() => (socket.received.length > 0 ? socket.received : undefined))
          )
          assert.isTrue(decodes(defect, "A message has at most"), JSON.stringify(defect))
          socket.send(call(1, "ListDesktops", null))
          yield* exits(socket, 1)
        }
      }).pipe(Effect.scoped)
    )

    test.effect("refuses a frame of more than 32 messages", () =>
      Effect.gen(function* () {
        const { url } = yield* AccountsStage
        const socket = yield* rpcSocket(url)
        const frameOf = (count: number) =>
          `[${Array.from({ length: count }, (_, id) => call(id, "ListDesktops", null)).join()}]`
        socket.send(frameOf(33))
        const [defect] = yield* until(
          "an answer",
          Effect.sync(() => (socket.received.length > 0 ? socket.received : undefined))
        )
        assert.isTrue(decodes(defect, "A frame has at most 32 messages"), JSON.stringify(defect))
        socket.send(frameOf(32))
        yield* exits(socket, 32)
      }).pipe(Effect.scoped)
    )

    test.effect("refuses an answer above 16 MB, which REST gives, and says so", () =>
      Effect.gen(function* () {
        const { send, sql, url } = yield* AccountsStage
        const model = JSON.stringify({ provider: "anthropic", name: "m" })
        yield* sql`INSERT INTO "Task" ("id", "description", "model", "status", "updatedAt")
          VALUES ('large', ${"x".repeat(17 * megabyte)}, ${model}::jsonb, 'COMPLETED', now())`
        const socket = yield* rpcSocket(url)
        socket.send(call(1, "GetTask", { id: "large" }))
        const [refused] = yield* exits(socket, 1)
        assert.isTrue(decodes(refused, '"_tag":"ServiceBusy"'), JSON.stringify(refused))
        assert.isTrue(decodes(refused, `"most":${16 * megabyte}`), JSON.stringify(refused))
        assert.strictEqual((yield* send({}, "GET", "/tasks/large")).status, 200)
        yield* sql`DELETE FROM "Task" WHERE "id" = 'large'`
      }).pipe(Effect.scoped)
    )

    test.effect("answers calls of any number that were sent at once, each once", () =>
      Effect.gen(function* () {
        const { url } = yield* AccountsStage
        const socket = yield* rpcSocket(url)
        for (let id = 0; id < 1_000; id++) socket.send(call(id, "ListTasks", { limit: 1 }))
        const ids = (yield* exits(socket, 1_000)).map(({ requestId }) => Number(requestId))
        assert.deepStrictEqual(
          ids.toSorted((one, other) => one - other),
          Array.from({ length: 1_000 }, (_, id) => id)
        )
      }).pipe(Effect.scoped)
    )

    test.effect("lets one socket hold 100 streams, and refuses the others with 429 in words", () =>
      Effect.gen(function* () {
        const { url } = yield* AccountsStage
        const socket = yield* rpcSocket(url)
        for (let id = 0; id < 5_000; id++) socket.send(call(id, "WatchTasks"))
        const refused = yield* exits(socket, 4_900)
        assert.isTrue(
          refused.every((exit) => decodes(exit, "TooManyOpen")),
          JSON.stringify(refused.find((exit) => !decodes(exit, "TooManyOpen")))
        )
        assert.strictEqual(refused.length, 4_900)
        // A stream that ends makes room for another one.
        socket.send(JSON.stringify({ _tag: "Interrupt", requestId: "0" }))
        yield* exits(socket, 4_901)
        socket.send(call(9_000, "WatchTasks"))
        socket.send(call(9_001, "ListDesktops", null))
        const [last] = (yield* exits(socket, 4_902)).slice(-1)
        assert.strictEqual(last?.requestId, "9001")
      }).pipe(Effect.scoped)
    )
  }
)

layer(AccountsStage.layer({ AUTH_ENABLED: "false", BYTEBOT_RATE_LIMIT: "50" }), {
  timeout: "60 seconds",
  excludeTestServices: true
})("the rate limit", (test) => {
  test.effect("counts REST requests and RPC calls together", () =>
    Effect.gen(function* () {
      const { send, url } = yield* AccountsStage
      const socket = yield* rpcSocket(url)
      for (let id = 0; id < 300; id++) socket.send(call(id, "ListDesktops", null))
      const answers = yield* exits(socket, 300)
      const refused = answers.filter((answer) => decodes(answer, "TooManyRequests"))
      assert.strictEqual(refused.length, 250)
      assert.strictEqual((yield* send({}, "GET", "/tasks")).status, 429)
    }).pipe(Effect.scoped)
  )
})
