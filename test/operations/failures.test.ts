import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect, type Scope } from "effect"
import { SqlClient } from "effect/sql"
import * as Anthropic from "../emulators/anthropic.ts"
import * as Desktop from "../emulators/desktop.ts"
import { runProgram } from "../support/Command.ts"
import { endpoint } from "../support/Endpoint.ts"
import { Network } from "../support/Network.ts"
import { decodeTask, request } from "../support/RestClient.ts"
import { freePort, type ServiceProcess, spawnService, untilReady } from "../support/ServiceProcess.ts"
import { admin, clientLayer, dropAtEnd, empty, migrated, uniqueName, urlOf } from "../support/TestDatabase.ts"
import { until } from "../support/Waiting.ts"
import { missing, type Row, rowsUnder } from "./table.ts"

/** What shows in each case, in the order of the page's rows. */
type Cause = Effect.Effect<string, unknown, Scope.Scope>

/** The last words of a service that does not start. */
const refusal = (variables: Readonly<Record<string, string>>) =>
  Effect.gen(function* () {
    const port = String(yield* freePort)
    const { code, stderr } = yield* runProgram("main", [], { HOST: "127.0.0.1", PORT: port, ...variables })
    assert.strictEqual(code, 1, stderr)
    return stderr
  })

const temporaryFolder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "bytebot-operations-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
)

/** A port that somebody listens on. */
const takenPort = Effect.acquireRelease(
  Effect.callback<{ readonly port: number; readonly close: () => void }>((resume) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const address = server.address()
      resume(
        Effect.succeed({ port: typeof address === "object" ? (address?.port ?? 0) : 0, close: () => server.close() })
      )
    })
  }),
  ({ close }) => Effect.sync(close)
).pipe(Effect.map(({ port }) => String(port)))

/** A role of the tests' server, and a URL with which it logs in. */
const roleUrl = Effect.fnUntraced(function* (options: string, database: string) {
  const role = uniqueName()
  const sql = yield* admin
  yield* Effect.acquireRelease(sql.unsafe(`CREATE ROLE ${role} ${options} PASSWORD 'right'`), () =>
    Effect.orDie(sql.unsafe(`DROP ROLE ${role}`))
  )
  const url = new URL(urlOf(database))
  url.username = role
  url.password = "right"
  return url.href
})

const startFailures: ReadonlyArray<Cause> = [
  refusal({ PORT: "x" }),
  refusal({ AUTH_ENABLED: "true" }),
  refusal({ CLUSTER: "true" }),
  Effect.gen(function* () {
    return yield* refusal({ DATABASE_URL: yield* migrated, PORT: yield* takenPort })
  }),
  Effect.gen(function* () {
    const cluster = { CLUSTER: "true", CLUSTER_HOST: "127.0.0.1", CLUSTER_PORT: yield* takenPort }
    return yield* refusal({ DATABASE_URL: yield* migrated, ...cluster })
  }),
  Effect.gen(function* () {
    const url = `postgresql://nobody@127.0.0.1:${yield* freePort}/none`
    return yield* refusal({ DATABASE_URL: url, DATABASE_CONNECT_RETRY: "200" })
  }),
  Effect.gen(function* () {
    return yield* refusal({ DATABASE_URL: yield* roleUrl("NOLOGIN", "postgres") })
  }),
  Effect.gen(function* () {
    return yield* refusal({ DATABASE_URL: yield* roleUrl("LOGIN", uniqueName()) })
  }),
  Effect.gen(function* () {
    const name = uniqueName()
    const sql = yield* admin
    yield* dropAtEnd(name)
    yield* sql`CREATE DATABASE ${sql(name)} ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0`
    return yield* refusal({ DATABASE_URL: urlOf(name) })
  }),
  Effect.gen(function* () {
    const url = yield* migrated
    yield* Effect.provide(
      Effect.flatMap(SqlClient.SqlClient, (sql) => sql`UPDATE "BytebotMigration" SET "checksum" = 'edited'`),
      clientLayer(url)
    )
    return yield* refusal({ DATABASE_URL: url })
  }),
  Effect.gen(function* () {
    const folder = yield* temporaryFolder
    const first = yield* spawnService(yield* freePort, { BYTEBOT_DATA_DIR: folder })
    yield* untilReady(first)
    const words = yield* refusal({ BYTEBOT_DATA_DIR: folder })
    first.signal("SIGTERM")
    yield* first.ended
    return words
  }),
  Effect.gen(function* () {
    const file = join(yield* temporaryFolder, "file")
    writeFileSync(file, "")
    return yield* refusal({ BYTEBOT_DATA_DIR: file })
  })
]

/** What a running service shows: its log, and the answers to these requests, until nothing of the row is missing. */
const shows = (service: ServiceProcess, row: Row, ...paths: ReadonlyArray<string>) => {
  let last = ""
  return until(
    `${row.seen.join(", ")} in ${service.url}`,
    Effect.gen(function* () {
      const answers = yield* Effect.forEach(paths, (path) =>
        Effect.promise(() =>
          fetch(`${service.url}${path}`).then(
            (answer) => answer.text(),
            () => ""
          )
        )
      )
      last = [service.output(), ...answers].join("\n")
      return missing(row, last).length === 0 ? last : undefined
    }),
    "25 seconds"
  ).pipe(Effect.orElseSucceed(() => last))
}

const started = Effect.fnUntraced(function* (variables: Readonly<Record<string, string>>) {
  const service = yield* spawnService(yield* freePort, { DATABASE_URL: yield* migrated, ...variables })
  yield* untilReady(service)
  return service
})

const create = (service: ServiceProcess) =>
  Effect.map(request(service.url, "POST", "/tasks", { description: "a task" }), ({ json }) => decodeTask(json).id)

/** A service with a model that answers so, and a desktop. */
const withModel = Effect.fnUntraced(function* (
  defaultReply: NonNullable<Parameters<typeof Anthropic.scoped>[0]>["defaultReply"],
  variables: Readonly<Record<string, string>> = {}
) {
  const model = yield* Anthropic.scoped({ ...(defaultReply === undefined ? {} : { defaultReply }), apiKey: "right" })
  const desktop = yield* Desktop.scoped()
  return yield* started({
    ANTHROPIC_API_KEY: "right",
    ANTHROPIC_BASE_URL: model.url,
    BYTEBOT_DESKTOP_BASE_URL: desktop.url,
    ...variables
  })
})

const runningFailures: ReadonlyArray<(row: Row) => Cause> = [
  (row) =>
    Effect.gen(function* () {
      const network = yield* Network.to((yield* Desktop.scoped()).url)
      network.refuse()
      const service = yield* started({ BYTEBOT_DESKTOP_BASE_URL: network.url })
      yield* shows(service, { seen: row.seen.slice(0, 1) })
      network.accept()
      return yield* shows(service, { seen: [...row.seen, "answers again"] })
    }),
  (row) =>
    Effect.gen(function* () {
      const url = `http://127.0.0.1:${yield* freePort}`
      const service = yield* withModel(undefined, { BYTEBOT_DESKTOP_BASE_URL: url })
      return yield* shows(service, row, `/tasks/${yield* create(service)}`)
    }),
  (row) => Effect.flatMap(withModel(undefined, { ANTHROPIC_API_KEY: "wrong" }), (service) => shows(service, row)),
  (row) => Effect.flatMap(started({ HOST: "0.0.0.0" }), (service) => shows(service, row)),
  (row) =>
    Effect.gen(function* () {
      const service = yield* spawnService(yield* freePort, { DATABASE_URL: yield* empty, MIGRATE_ON_START: "false" })
      return yield* shows(service, row, "/health/ready")
    }),
  (row) =>
    Effect.gen(function* () {
      const network = yield* Network.to(yield* migrated)
      const service = yield* started({ DATABASE_URL: network.url })
      network.refuse()
      return yield* shows(service, row, "/health", "/tasks")
    }),
  (row) =>
    Effect.gen(function* () {
      const network = yield* Network.to(yield* migrated)
      const service = yield* started({ DATABASE_URL: network.url, DATABASE_STATEMENT_TIMEOUT: "500" })
      network.freeze()
      return yield* shows(service, row, "/tasks")
    }),
  (row) =>
    Effect.gen(function* () {
      const service = yield* started({ SHUTDOWN_DELAY: "60000" })
      service.signal("SIGTERM")
      return yield* shows(service, row, "/health/ready")
    }),
  () =>
    Effect.gen(function* () {
      const { url } = yield* started({})
      return JSON.stringify((yield* request(url, "POST", "/tasks", { description: "a task" })).json)
    }),
  (row) =>
    Effect.gen(function* () {
      const service = yield* started({ BYTEBOT_LLM_PROXY_URL: `http://127.0.0.1:${yield* freePort}` })
      return yield* shows(service, row, "/tasks/models")
    }),
  () =>
    Effect.gen(function* () {
      const { url } = yield* started({ BYTEBOT_TASK_COST_BUDGET: "5" })
      const model = { provider: "proxy", name: "mine" }
      return JSON.stringify((yield* request(url, "POST", "/tasks", { description: "a task", model })).json)
    }),
  (row) =>
    Effect.gen(function* () {
      const url = yield* endpoint({
        "GET /v1/models": { object: "list", data: [{ id: "qwen3-vl:8b" }] },
        "GET /api/ps": { models: [{ model: "qwen3-vl:8b", context_length: 4096 }] }
      })
      const service = yield* started({ BYTEBOT_LLM_PROXY_URL: `${url}/v1` })
      return yield* shows(service, row, "/tasks/models")
    }),
  (row) =>
    Effect.gen(function* () {
      const service = yield* withModel(undefined, { ANTHROPIC_API_KEY: "wrong" })
      return yield* shows(service, row, `/tasks/${yield* create(service)}`)
    }),
  (row) =>
    Effect.gen(function* () {
      const overloaded = { status: 529, error: { type: "overloaded_error", message: "Overloaded" } }
      const service = yield* withModel(overloaded)
      return yield* shows(service, row, `/tasks/${yield* create(service)}`)
    }),
  (row) =>
    Effect.gen(function* () {
      const network = yield* Network.to((yield* Desktop.scoped()).url)
      const act = { type: "tool_use", name: "computer_screenshot", input: {} } as const
      const service = yield* withModel({ content: [act] }, { BYTEBOT_DESKTOP_BASE_URL: network.url })
      yield* create(service)
      yield* shows(service, { seen: ["Model answered"] })
      network.refuse()
      return yield* shows(service, row, "/desktops", "/tasks")
    }),
  (row) =>
    Effect.gen(function* () {
      const url = yield* migrated
      const service = yield* withModel({ hang: true }, { DATABASE_URL: url })
      yield* Effect.provide(
        Effect.gen(function* () {
          const sql = yield* SqlClient.SqlClient
          yield* sql`INSERT INTO "Task" ("id", "description", "updatedAt", "model") VALUES ('unreadable', 'any', now(), '{}')`
          yield* sql`
            INSERT INTO "Message" ("id", "content", "createdAt", "updatedAt", "taskId")
            VALUES ('unreadable', '[]', 'infinity', now(), 'unreadable')`
        }),
        clientLayer(url)
      )
      return yield* shows(service, row, "/tasks")
    }),
  (row) =>
    Effect.gen(function* () {
      const service = yield* spawnService(yield* freePort, {
        DATABASE_URL: yield* migrated,
        REDIS_URL: `redis://127.0.0.1:${yield* freePort}`
      })
      return yield* shows(service, row)
    }),
  (row) =>
    Effect.gen(function* () {
      const service = yield* withModel(
        { hang: true },
        {
          BYTEBOT_ANALYTICS_ENDPOINT: `http://127.0.0.1:${yield* freePort}/reports`
        }
      )
      yield* request(service.url, "POST", `/tasks/${yield* create(service)}/cancel`)
      return yield* shows(service, row)
    }),
  () =>
    Effect.gen(function* () {
      const { url } = yield* started({ AUTH_ENABLED: "true", BETTER_AUTH_SECRET: "a-secret-of-the-tests-0123456789" })
      return JSON.stringify((yield* request(url, "GET", "/tasks")).json)
    })
]

const startRows = rowsUnder("The service does not start")
const runningRows = rowsUnder("The service runs, and something is wrong")

describe("docs/operations.md", () => {
  it("has a cause for every row", () => {
    assert.strictEqual(startRows.length, startFailures.length)
    assert.strictEqual(runningRows.length, runningFailures.length)
  })

  it.live.each(startRows.map((row, index) => ({ row, cause: startFailures[index], name: row.seen[0] })))(
    "$name",
    ({ cause, row }) =>
      Effect.gen(function* () {
        const words = yield* cause ?? Effect.succeed("")
        assert.deepStrictEqual(missing(row, words), [], words)
      }).pipe(Effect.scoped),
    180_000
  )

  it.live.each(runningRows.map((row, index) => ({ row, cause: runningFailures[index], name: row.seen.join(", ") })))(
    "$name",
    ({ cause, row }) =>
      Effect.gen(function* () {
        const words = yield* cause?.(row) ?? Effect.succeed("")
        assert.deepStrictEqual(missing(row, words), [], words)
      }).pipe(Effect.scoped),
    180_000
  )
})
