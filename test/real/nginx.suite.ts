import { readdirSync } from "node:fs"
import { request as httpRequest } from "node:http"
import { assert, beforeAll, layer } from "@effect/vitest"
import { Context, Effect, Fiber, Layer, Schema, Stream } from "effect"
import { makeRpcClient } from "../../src/client/BytebotClient.ts"
import { TaskId } from "../../src/domain/Task.ts"
import { ask, connected, payloads } from "../socket/Clients.ts"
import { untilSeen, watch } from "../streams/Watcher.ts"
import { nginxBefore } from "../support/Nginx.ts"
import { requireProgram } from "../support/RealProgram.ts"
import { request } from "../support/RestClient.ts"
import { startService } from "../support/TestService.ts"
import { until } from "../support/Waiting.ts"

/** The service behind the real nginx, as docs/deployment.md configures it: at the root, and under a sub-path. */

const rateLimit = 300

class Proxied extends Context.Service<Proxied, { readonly root: string; readonly folder: string }>()("test/Proxied") {
  static readonly layer = Layer.effect(
    Proxied,
    Effect.gen(function* () {
      const service = yield* startService({ BYTEBOT_PROXIES: "1", BYTEBOT_RATE_LIMIT: String(rateLimit) })
      const { folder, url } = yield* nginxBefore(service.url)
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

const say = Effect.fnUntraced(function* (url: string, id: string, message: string) {
  assert.strictEqual((yield* request(url, "POST", `/tasks/${id}/messages`, { message })).status, 201)
})

/** The status that a client at another loopback address gets. */
const statusFrom = (localAddress: string, url: string) =>
  Effect.callback<number, Error>((resume) => {
    const outgoing = httpRequest(url, { localAddress, agent: false }, (answer) => {
      answer.resume()
      resume(Effect.succeed(answer.statusCode ?? 0))
    })
    outgoing.on("error", (error) => resume(Effect.fail(error)))
    outgoing.end()
  })

beforeAll(() => requireProgram("nginx", ["-v"], "nginx-light"))

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
          const events = yield* payloads(client, 1)
          assert.include(JSON.stringify(events), `by ${transport}`)
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

  test.effect("limits count the client's own address, not nginx's", () =>
    Effect.gen(function* () {
      const { root } = yield* Proxied
      let refused = 0
      for (let count = 0; count < 2 * rateLimit && refused !== 429; count++) {
        refused = yield* statusFrom("127.0.0.2", `${root}/tasks?limit=1`)
      }
      assert.strictEqual(refused, 429)
      assert.strictEqual(yield* statusFrom("127.0.0.3", `${root}/tasks?limit=1`), 200)
    })
  )
})
