import { createServer } from "node:http"
import { connect } from "node:net"
import { assert, describe, it, layer } from "@effect/vitest"
import { Effect, Option } from "effect"
import { clientAddress } from "../../src/transports/ClientAddress.ts"
import { AccountsStage, people } from "../accounts/AccountsStage.ts"
import { client, connected } from "../socket/Clients.ts"
import { startService } from "../support/TestService.ts"
import { until } from "../support/Waiting.ts"

const model = { provider: "anthropic", name: "m" }

layer(AccountsStage.layer({ BYTEBOT_RATE_LIMIT: "30", BYTEBOT_PROXIES: "1" }), {
  timeout: "60 seconds",
  excludeTestServices: true
})("the rate of requests", (test) => {
  test.effect("limits the rate of requests per user, and per address without a login", () =>
    Effect.gen(function* () {
      const { send } = yield* AccountsStage
      const { owner, stranger } = yield* people
      const until429 = Effect.fnUntraced(function* (who: Readonly<Record<string, string>>) {
        for (let count = 0; count < 100; count++) {
          const answer = yield* send(who, "GET", "/tasks")
          if (answer.status === 429) return { count, answer }
        }
        return yield* Effect.die(new Error("never refused"))
      })
      const { answer, count } = yield* until429(owner.bearer)
      assert.isAtMost(count, 30)
      assert.isAbove(Number(answer.headers.get("retry-after")), 0)
      assert.deepInclude(answer.json, { error: "Too Many Requests", statusCode: 429 })
      assert.strictEqual((yield* send(stranger.bearer, "GET", "/tasks")).status, 200)
      const guessing = { authorization: "Bearer guess", "x-forwarded-for": "198.51.100.7" }
      yield* until429(guessing)
      const elsewhere = { authorization: "Bearer guess", "x-forwarded-for": "198.51.100.8" }
      assert.strictEqual((yield* send(elsewhere, "GET", "/tasks")).status, 401)
      // What a client claims itself stands before what our proxy adds.
      const claiming = { ...guessing, "x-forwarded-for": "203.0.113.1, 198.51.100.7" }
      assert.strictEqual((yield* send(claiming, "GET", "/tasks")).status, 429)
      assert.strictEqual((yield* send({}, "GET", "/health/live")).status, 200)
    })
  )
})

describe("the client's address", () => {
  it("the client's address is the connection's, or the one that the outermost trusted proxy saw", () => {
    const connection = Option.some("10.0.0.1")
    assert.strictEqual(clientAddress(0, connection, "203.0.113.1"), "10.0.0.1")
    assert.strictEqual(clientAddress(1, connection, undefined), "10.0.0.1")
    assert.strictEqual(clientAddress(1, connection, "203.0.113.1, 198.51.100.7"), "198.51.100.7")
    assert.strictEqual(clientAddress(2, connection, "1.1.1.1, 198.51.100.7, 10.0.0.9"), "198.51.100.7")
    assert.strictEqual(clientAddress(3, connection, "198.51.100.7"), "198.51.100.7")
  })
})

layer(
  AccountsStage.layer({
    AUTH_ENABLED: "false",
    BYTEBOT_MAX_FILES: "2",
    BYTEBOT_MAX_FILE_SIZE: "10",
    BYTEBOT_SOCKETS_PER_ADDRESS: "3",
    BYTEBOT_REQUEST_TIMEOUT: "300"
  }),
  { timeout: "60 seconds", excludeTestServices: true }
)("limits", (test) => {
  test.effect("limits the number and the size of files", () =>
    Effect.gen(function* () {
      const { send } = yield* AccountsStage
      const file = { name: "a.txt", base64: Buffer.from("0123456789").toString("base64"), type: "text/plain", size: 10 }
      const large = { ...file, base64: Buffer.from("0123456789a").toString("base64") }
      const create = (...files: ReadonlyArray<typeof file>) =>
        send({}, "POST", "/tasks", { description: "files", model, files })
      assert.strictEqual((yield* create(file, file)).status, 201)
      const many = yield* create(file, file, file)
      assert.strictEqual(many.status, 400)
      assert.deepInclude(many.json, { message: "files: expected at most 2" })
      const heavy = yield* create(file, large)
      assert.strictEqual(heavy.status, 400)
      assert.deepInclude(heavy.json, { message: "files[1]: expected at most 10 bytes" })
    })
  )

  test.effect("limits the sockets of an address", () =>
    Effect.gen(function* () {
      const { url } = yield* AccountsStage
      const sockets = yield* Effect.forEach([1, 2, 3], () => client(url, { transports: ["websocket"] }))
      yield* until(
        "three",
        Effect.sync(() => (sockets.every(({ socket }) => socket.connected) ? true : undefined))
      )
      const fourth = yield* client(url, { transports: ["websocket"] })
      yield* Effect.callback<void>((resume) => {
        fourth.socket.once("connect_error", () => resume(Effect.void))
      })
      const refused = yield* Effect.promise(() => fetch(`${url}/socket.io/?EIO=4&transport=polling`))
      assert.strictEqual(refused.status, 429)
      assert.isNotNull(refused.headers.get("retry-after"))
      sockets[0]?.socket.disconnect()
      yield* until(
        "room for another",
        Effect.sync(() => {
          if (!fourth.socket.connected && !fourth.socket.active) fourth.socket.connect()
          return fourth.socket.connected ? true : undefined
        })
      )
    }).pipe(Effect.scoped)
  )

  test.effect("limits the messages of a socket", () =>
    Effect.gen(function* () {
      const { url } = yield* AccountsStage
      // The sockets of the test before may still be closing: it comes again until it is let in.
      const { socket } = yield* connected(url, { transports: ["websocket"] })
      let isCutOff = false
      socket.once("disconnect", () => {
        isCutOff = true
      })
      for (let index = 0; index < 2_500; index++) socket.emit("join_task", "t")
      yield* until(
        "it is cut off",
        Effect.sync(() => (isCutOff ? true : undefined))
      )
    }).pipe(Effect.scoped)
  )

  test.effect("limits the time in which a request arrives", () =>
    Effect.gen(function* () {
      const { url } = yield* AccountsStage
      const { hostname, port } = new URL(url)
      const answer = yield* Effect.callback<string>((resume) => {
        const socket = connect(Number(port), hostname, () => {
          socket.write(
            "POST /tasks HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"
          )
        })
        let text = ""
        socket.on("data", (data) => {
          text += String(data)
        })
        socket.on("error", () => undefined)
        socket.on("close", () => resume(Effect.succeed(text)))
      })
      assert.match(answer, /^HTTP\/1\.1 408 /)
    })
  )

  test.effect("sends headers that keep answers from being taken for pages", () =>
    Effect.gen(function* () {
      const { send } = yield* AccountsStage
      for (const path of ["/tasks", "/docs", "/nope", "/"]) {
        const { headers } = yield* send({}, "GET", path)
        assert.strictEqual(headers.get("x-content-type-options"), "nosniff", path)
        assert.strictEqual(headers.get("x-frame-options"), "DENY", path)
        assert.strictEqual(headers.get("referrer-policy"), "no-referrer", path)
        assert.isNull(headers.get("x-powered-by"))
      }
    })
  )
})

/** An HTTP server that answers as told. */
const answering = (handler: Parameters<typeof createServer>[1]) =>
  Effect.acquireRelease(
    Effect.callback<{ readonly url: string; readonly close: () => void }>((resume) => {
      const server = createServer(handler ?? (() => undefined)).listen(0, "127.0.0.1", () => {
        const address = server.address()
        const port = typeof address === "object" ? address?.port : 0
        const close = () => {
          server.closeAllConnections()
          server.close()
        }
        resume(Effect.succeed({ url: `http://127.0.0.1:${port}`, close }))
      })
    }),
    ({ close }) => Effect.sync(close)
  )

describe("outgoing requests", () => {
  it.live.each([
    { name: "anthropic", variables: (url: string) => ({ ANTHROPIC_API_KEY: "k", ANTHROPIC_BASE_URL: url }) },
    { name: "openai", variables: (url: string) => ({ OPENAI_API_KEY: "k", OPENAI_BASE_URL: url }) },
    { name: "google", variables: (url: string) => ({ GEMINI_API_KEY: "k", GOOGLE_GEMINI_BASE_URL: url }) },
    { name: "proxy", variables: (url: string) => ({ BYTEBOT_LLM_PROXY_URL: url }) }
  ])(
    "outgoing requests of $name do not follow redirects",
    ({ name, variables }) =>
      Effect.gen(function* () {
        let isReached = false
        const elsewhere = yield* answering((_, response) => {
          isReached = true
          response.end("{}")
        })
        let asked = 0
        const redirecting = yield* answering((_, response) => {
          asked += 1
          response.writeHead(307, { location: elsewhere.url }).end()
        })
        const { url } = yield* startService({
          ...variables(redirecting.url),
          BYTEBOT_DESKTOP_BASE_URL: redirecting.url,
          BYTEBOT_MODEL_RETRY_FOR: "0",
          SHUTDOWN_TIMEOUT: "200"
        })
        yield* Effect.promise(() =>
          fetch(`${url}/tasks`, {
            method: "POST",
            headers: { "content-type": "application/json" },
            body: JSON.stringify({ description: "redirected", model: { provider: name, name: "m" } })
          })
        )
        yield* Effect.promise(() => fetch(`${url}/tasks/models`).then((answer) => answer.text()))
        yield* until(
          "it has been asked",
          Effect.sync(() => (asked >= 2 ? true : undefined))
        )
        yield* until(
          "the task is over",
          Effect.promise(() =>
            fetch(`${url}/tasks?statuses=FAILED`).then(async (answer) =>
              (await answer.text()).includes('"total":1') ? true : undefined
            )
          )
        )
        assert.isFalse(isReached)
      }).pipe(Effect.scoped),
    60_000
  )
})
