import { execFile } from "node:child_process"
import { assert, beforeAll, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { Settings } from "../../src/config/Settings.ts"
import { Database } from "../../src/database/Database.ts"
import { Startup } from "../../src/observability/Startup.ts"
import { connected, payloads } from "../socket/Clients.ts"
import { pgBouncerBefore, pgBouncerInTurns } from "../support/PgBouncer.ts"
import { environment, fileOf } from "../support/Programs.ts"
import { requireProgram } from "../support/RealProgram.ts"
import { request } from "../support/RestClient.ts"
import { migrated } from "../support/TestDatabase.ts"
import { startService } from "../support/TestService.ts"

/** The service with the real PgBouncer between itself and PostgreSQL. */

const layerOf = (url: string) =>
  Database.layer.pipe(Layer.provide(Startup.layer), Layer.provide(Settings.layerFrom({ DATABASE_URL: url })))

/** Exit code and output of `bytebot-agent doctor`. */
const doctor = (url: string) =>
  Effect.callback<{ readonly code: number; readonly output: string }>((resume) => {
    const child = execFile(
      process.execPath,
      [fileOf("cli/main"), "doctor"],
      { cwd: "/", env: { ...environment(), DATABASE_URL: url, ANTHROPIC_API_KEY: "" } },
      (_, stdout, stderr) => resume(Effect.succeed({ code: child.exitCode ?? 0, output: stdout + stderr }))
    )
  })

const sentence = /is a connection pooler in transaction mode.*Name PostgreSQL itself in DATABASE_URL/s

describe("behind PgBouncer", () => {
  beforeAll(() => requireProgram("pgbouncer", ["--version"], "pgbouncer"))

  for (const mode of ["transaction", "statement"] as const) {
    it.live(`in ${mode} mode the start is refused with what to set`, () =>
      Effect.gen(function* () {
        const url = yield* pgBouncerBefore(yield* migrated, mode)
        const error = yield* Effect.flip(Layer.build(layerOf(url)))
        assert.strictEqual(error._tag, "DatabasePooledByTransaction")
        assert.match(error.message, sentence)
      }).pipe(Effect.scoped)
    )
  }

  it.live("in transaction mode the start is refused, also where statements alternate between server connections", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(Layer.build(layerOf(yield* pgBouncerInTurns(yield* migrated))))
      assert.strictEqual(error._tag, "DatabasePooledByTransaction")
    }).pipe(Effect.scoped)
  )

  it.live("in transaction mode doctor says so, too", () =>
    Effect.gen(function* () {
      const url = yield* pgBouncerBefore(yield* migrated, "transaction")
      const { code, output } = yield* doctor(url)
      assert.notStrictEqual(code, 0)
      assert.match(output, sentence)
    }).pipe(Effect.scoped)
  )

  it.live("in session mode the service works, with its events", () =>
    Effect.gen(function* () {
      const { url } = yield* startService({ DATABASE_URL: yield* pgBouncerBefore(yield* migrated, "session") })
      const client = yield* connected(url, { transports: ["websocket"] })
      for (let count = 0; count < 20; count++) {
        const { status } = yield* request(url, "POST", "/tasks", {
          description: `task ${count}`,
          model: { provider: "anthropic", name: "m" },
          scheduledFor: "2099-01-01T00:00:00Z"
        })
        assert.strictEqual(status, 201)
      }
      assert.strictEqual((yield* request(url, "GET", "/health/ready")).status, 200)
      assert.isAtLeast((yield* payloads(client, 20)).length, 20)
    }).pipe(Effect.scoped)
  )
})
