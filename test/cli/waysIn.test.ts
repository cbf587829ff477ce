import { readFileSync } from "node:fs"
import { createServer, request as httpRequest } from "node:http"
import { createServer as createTlsServer } from "node:https"
import { connect, type Server } from "node:net"
import { fileURLToPath } from "node:url"
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import type { Scripted } from "../emulators/modelReplies.ts"
import { runProgram } from "../support/Command.ts"
import { type Provider, providers } from "../support/ModelProviders.ts"

/** Models behind a forward proxy, with a certificate of a private CA, and with headers of a gateway. */

const fixture = (name: string) => fileURLToPath(new URL(`../fixtures/tls/${name}`, import.meta.url))

const answers: ReadonlyArray<Scripted> = [
  { content: [{ type: "text", text: "ready" }] },
  {
    content: [
      {
        type: "tool_use",
        name: "computer_click_mouse",
        input: { coordinates: { x: 880, y: 480 }, button: "left", clickCount: 1 }
      }
    ]
  },
  { content: [{ type: "text", text: "A red square." }] }
]

/** The port of a server that listens on 127.0.0.1 until the scope closes. */
const listening = (server: Server & { readonly closeAllConnections?: () => void }) =>
  Effect.acquireRelease(
    Effect.callback<number>((resume) => {
      server.listen(0, "127.0.0.1", () => {
        const address = server.address()
        resume(Effect.succeed(typeof address === "object" && address !== null ? address.port : 0))
      })
    }),
    () =>
      Effect.sync(() => {
        server.close()
        server.closeAllConnections?.()
      })
  )

/** HTTPS with the certificate of a private CA in front of an emulator. */
const encrypted = (url: string) =>
  listening(
    createTlsServer(
      { key: readFileSync(fixture("server.key")), cert: readFileSync(fixture("server.pem")) },
      (from, to) => {
        const { headers, method = "GET", url: path = "/" } = from
        const behind = httpRequest(`${url}${path}`, { method, headers }, (answer) => {
          to.writeHead(answer.statusCode ?? 502, answer.headers)
          answer.pipe(to)
        })
        behind.on("error", () => to.destroy())
        from.pipe(behind)
      }
    )
  )

/** A forward proxy (RFC 9110, 9.3.6), and where it was asked to connect to. */
const forwardProxy = Effect.gen(function* () {
  const targets: Array<string> = []
  const server = createServer((_, response) => response.writeHead(405).end())
  server.on("connect", ({ url = "" }, client, head) => {
    targets.push(url)
    const [host = "", port = "0"] = url.split(":")
    const through = connect(Number(port), host, () => {
      client.write("HTTP/1.1 200 Connection Established\r\n\r\n")
      through.write(head)
      through.pipe(client).pipe(through)
    })
    for (const socket of [client, through]) {
      socket.on("error", () => {
        client.destroy()
        through.destroy()
      })
    }
  })
  return { port: yield* listening(server), targets }
})

const started = (provider: Provider) =>
  Effect.map(
    Effect.acquireRelease(Effect.promise(provider.start), ({ close }) => Effect.promise(close)),
    (model) => {
      model.enqueue(...answers)
      return model
    }
  )

const doctor = (provider: Provider, variables: Readonly<Record<string, string>>) =>
  runProgram("cli/main", ["doctor", "--model", `${provider.name}/${provider.model}`], variables)

it.live.each(providers)("a model of $name is reached through a forward proxy, with a private CA", (provider) =>
  Effect.gen(function* () {
    const model = yield* started(provider)
    const port = yield* encrypted(model.url)
    const proxy = yield* forwardProxy
    const variables = {
      ...provider.settings(`https://localhost:${port}`),
      HTTPS_PROXY: `http://127.0.0.1:${proxy.port}`,
      NODE_EXTRA_CA_CERTS: fixture("ca.pem")
    }
    const { code, stderr, stdout } = yield* doctor(provider, variables)
    assert.strictEqual(code, 0, stdout + stderr)
    assert.include(proxy.targets, `localhost:${port}`)
    assert.lengthOf(model.requests, 3)
  }).pipe(Effect.scoped)
)

const [anthropic] = providers

it.live("NO_PROXY names hosts that are reached without the forward proxy", () =>
  Effect.gen(function* () {
    if (anthropic === undefined) return assert.fail("no provider")
    const model = yield* started(anthropic)
    const port = yield* encrypted(model.url)
    const proxy = yield* forwardProxy
    const { code, stdout } = yield* doctor(anthropic, {
      ...anthropic.settings(`https://localhost:${port}`),
      HTTPS_PROXY: `http://127.0.0.1:${proxy.port}`,
      NO_PROXY: "example.org,localhost",
      NODE_EXTRA_CA_CERTS: fixture("ca.pem")
    })
    assert.strictEqual(code, 0, stdout)
    assert.deepStrictEqual(proxy.targets, [])
  }).pipe(Effect.scoped)
)

it.live("a certificate of an unknown CA is refused", () =>
  Effect.gen(function* () {
    if (anthropic === undefined) return assert.fail("no provider")
    const model = yield* started(anthropic)
    const port = yield* encrypted(model.url)
    const { code } = yield* doctor(anthropic, anthropic.settings(`https://localhost:${port}`))
    assert.strictEqual(code, 1)
    assert.lengthOf(model.requests, 0)
  }).pipe(Effect.scoped)
)
