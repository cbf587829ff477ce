import { readdirSync } from "node:fs"
import { request as httpsRequest } from "node:https"
import { assert, beforeAll, describe, it, layer } from "@effect/vitest"
import { Context, Effect, Fiber, Layer, Schema, Stream } from "effect"
import { makeRpcClient } from "../../src/client/BytebotClient.ts"
import { TaskId } from "../../src/domain/Task.ts"
import { ask, type Client, connected } from "../socket/Clients.ts"
import { untilSeen, watch } from "../streams/Watcher.ts"
import { nginxBefore } from "../support/Nginx.ts"
import { requireProgram } from "../support/RealProgram.ts"
import { request } from "../support/RestClient.ts"
import { freePort } from "../support/ServiceProcess.ts"
import { migrated } from "../support/TestDatabase.ts"
import { startService } from "../support/TestService.ts"
import { until } from "../support/Waiting.ts"

/** The service behind the real nginx, as docs/deployment.md configures it: at the root, and under a sub-path. */

const rateLimit = 300

class Proxied extends Context.Service<Proxied, { readonly root: string; readonly folder: string }>()("test/Proxied") {
  static readonly layer = Layer.effect(
    Proxied,
    Effect.gen(function* () {
      const service = yield* startService({ BYTEBOT_PROXIES: "1", BYTEBOT_RATE_LIMIT: String(rateLimit) })
      const { folder, url } = yield* nginxBefore(service.url, yield* freePort)
      return { root: url, folder }
    })
  )
}

const decodeId = Schema.decodeUnknownSync(Schema.Struct({ id: TaskId }))

const create = Effect.fnUntraced(function* (url: string) {
  const { json, status } = yield* request(url, "POST", "/tasks", {
    description: "behind nginx",
    model: { provider: "anthropic", name: "m" },
    scheduledFor: "2099-01-01T00:00:00Z"
  })
  assert.strictEqual(status, 201)
  return decodeId(json).id
})

const untilReceived = ({ received }: Client, event: string, words: string) =>
  until(
    `${event} with "${words}"`,
    Effect.sync(() =>
      received.some(([name, payload]) => name === event && JSON.stringify(payload).includes(words)) ? true : undefined
    )
  )

const say = Effect.fnUntraced(function* (url: string, id: string, message: string) {
  assert.strictEqual((yield* request(url, "POST", `/tasks/${id}/messages`, { message })).status, 201)
})

/** The status that a client at another loopback address gets. */
const statusFrom = (localAddress: string, url: string, headers: Readonly<Record<string, string>> = {}, body?: string) =>
  Effect.callback<number, Error>((resume) => {
    const method = body === undefined ? "GET" : "POST"
    const outgoing = httpsRequest(url, { method, localAddress, headers, agent: false }, (answer) => {
      answer.resume()
      resume(Effect.succeed(answer.statusCode ?? 0))
    })
    outgoing.on("error", (error) => resume(Effect.fail(error)))
    outgoing.end(body)
  })

beforeAll(() => {
  requireProgram("nginx", ["-v"], "nginx-light")
  requireProgram("openssl", ["version"], "openssl")
})

layer(Proxied.layer, { timeout: "120 seconds", excludeTestServices: true })("behind nginx", (test) => {
  for (const path of ["", "/agent"]) {
    const place = path === "" ? "at the root" : "under a sub-path"
    const addressOf = Effect.map(Proxied, ({ root }) => `${root}${path}`)

    test.effect(`REST works ${place}, with bodies of 48 MB that leave no copy on disk`, () =>
      Effect.gen(function* () {
        const url = yield* addressOf
        const { folder } = yield* Proxied
        const files = [{ name: "large.bin", base64: "A".repeat(12_000_000), type: "application/octet-stream", size: 1 }]
        const four = [0, 1, 2, 3].flatMap((index) => files.map((file) => ({ ...file, name: `${index}.bin` })))
        const { status } = yield* request(url, "POST", "/tasks", {
          description: "large",
          model: { provider: "anthropic", name: "m" },
          scheduledFor: "2099-01-01T00:00:00Z",
          files: four
        })
        assert.strictEqual(status, 201)
        assert.deepStrictEqual(readdirSync(`${folder}/client_body`, { recursive: true }), [])
      })
    )

    for (const transport of ["websocket", "polling"]) {
      test.effect(`Socket.IO brings events by ${transport} ${place}`, () =>
        Effect.gen(function* () {
          const url = yield* addressOf
          const { root } = yield* Proxied
          const id = yield* create(url)
          const client = yield* connected(root, { path: `${path}/socket.io/`, transports: [transport] })
          yield* ask(client, "join_task", id)
          yield* say(url, id, `by ${transport}`)
          yield* untilReceived(client, "new_message", `by ${transport}`)
        })
      )
    }

    test.effect(`RPC and Server-Sent Events bring events at once ${place}`, () =>
      Effect.gen(function* () {
        const url = yield* addressOf
        const id = yield* create(url)
        const { seen } = yield* watch(`${url}/tasks/${id}/events`)
        const client = yield* makeRpcClient({ url })
        const watched: Array<string> = []
        const watching = yield* client.WatchTask({ id, after: "0" }).pipe(
          Stream.runForEach((event) => Effect.sync(() => watched.push(JSON.stringify(event)))),
          Effect.forkChild
        )
        yield* say(url, id, "live")
        yield* untilSeen(seen, 1)
        yield* until(
          "the RPC stream has the message",
          Effect.sync(() => (watched.some((event) => event.includes("live")) ? true : undefined))
        )
        yield* Fiber.interrupt(watching)
      })
    )

    test.effect(`the documents lead to each other ${place}`, () =>
      Effect.gen(function* () {
        const url = yield* addressOf
        const page = yield* Effect.promise(() => fetch(`${url}/docs/events`).then((answer) => answer.text()))
        const links = [...page.matchAll(/href="([^"#]+)"/g)].map(([, link = ""]) => new URL(link, `${url}/docs/events`))
        assert.isNotEmpty(links)
        for (const link of links.filter(({ host }) => host === new URL(url).host)) {
          const { status } = yield* Effect.promise(() => fetch(link))
          assert.strictEqual(status, 200, link.href)
        }
      })
    )
  }

  test.effect("limits count the client's own address, neither nginx's nor one that the client claims", () =>
    Effect.gen(function* () {
      const { root } = yield* Proxied
      let refused = 0
      for (let count = 0; count < 2 * rateLimit && refused !== 429; count++) {
        const claim = { "x-forwarded-for": `10.0.${count >> 8}.${count & 255}` }
        refused = yield* statusFrom("127.0.0.2", `${root}/tasks?limit=1`, claim)
      }
      assert.strictEqual(refused, 429)
      assert.strictEqual(yield* statusFrom("127.0.0.3", `${root}/tasks?limit=1`), 200)
    })
  )
})

/** Accounts for a browser at `path` of nginx, which is the URL that the service is told. */
const withAccounts = (path: string) =>
  Effect.gen(function* () {
    const port = yield* freePort
    const root = `https://127.0.0.1:${port}`
    const service = yield* startService({
      BYTEBOT_PROXIES: "1",
      BYTEBOT_LOGIN_LIMIT: "3",
      AUTH_ENABLED: "true",
      BETTER_AUTH_SECRET: "planted-secret-of-the-tests-0123456789abcdef",
      BETTER_AUTH_URL: `${root}${path}`,
      DATABASE_URL: yield* migrated
    })
    yield* nginxBefore(service.url, port)
    return { root, url: `${root}${path}` }
  })

const account = { email: "ada@example.org", password: "correct horse battery", name: "Ada" }

/** A request of a page at `origin`, with the cookies that it has. */
const fromPage = (origin: string, url: string, cookie: string, body: Schema.Json) =>
  Effect.promise(async () => {
    const headers = { origin, cookie, "content-type": "application/json" }
    const answer = await fetch(url, { method: "POST", headers, body: JSON.stringify(body) })
    await answer.arrayBuffer()
    return answer
  })

const cookieOf = ({ headers }: Response) =>
  headers
    .getSetCookie()
    .map((line) => line.split(";", 1)[0])
    .join("; ")

describe("accounts behind nginx", () => {
  for (const path of ["", "/agent"]) {
    const [place, stranger, neighbour] =
      path === "" ? ["at the root", "127.0.0.2", "127.0.0.3"] : ["under a sub-path", "127.0.0.4", "127.0.0.5"]

    it.live(`a page signs in ${place}, creates a task and watches it, and a page of another site can't`, () =>
      Effect.gen(function* () {
        const { root, url } = yield* withAccounts(path)
        assert.strictEqual((yield* fromPage(root, `${url}/api/auth/sign-up/email`, "", account)).status, 200)
        const signedIn = yield* fromPage(root, `${url}/api/auth/sign-in/email`, "", account)
        assert.strictEqual(signedIn.status, 200)
        assert.match(signedIn.headers.get("set-cookie") ?? "", /; Secure/)
        const cookie = cookieOf(signedIn)
        const task = {
          description: "by a page",
          scheduledFor: "2099-01-01T00:00:00Z",
          model: { provider: "anthropic", name: "m" }
        }
        assert.strictEqual((yield* fromPage(root, `${url}/tasks`, cookie, task)).status, 201)
        assert.strictEqual((yield* fromPage("http://evil.example", `${url}/tasks`, cookie, task)).status, 403)
        const client = yield* connected(root, {
          path: `${path}/socket.io/`,
          transports: ["websocket"],
          extraHeaders: { cookie, origin: root }
        })
        yield* fromPage(root, `${url}/tasks`, cookie, { ...task, description: "a later one" })
        yield* untilReceived(client, "task_created", "a later one")
      }).pipe(Effect.scoped)
    )

    it.live(`attempts to log in are counted by the client's own address ${place}`, () =>
      Effect.gen(function* () {
        const { url } = yield* withAccounts(path)
        const login = (from: string, claimed: string) =>
          statusFrom(
            from,
            `${url}/auth/login`,
            { "content-type": "application/json", "x-forwarded-for": claimed },
            JSON.stringify(account)
          )
        const statuses = yield* Effect.forEach([1, 2, 3, 4], (claim) => login(stranger, `10.0.0.${claim}`))
        assert.deepStrictEqual(statuses, [401, 401, 401, 429])
        assert.strictEqual(yield* login(neighbour, "10.0.0.1"), 401)
      }).pipe(Effect.scoped)
    )
  }
})
