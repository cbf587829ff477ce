import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { freePort, type ServiceProcess, spawnService, untilReady } from "../support/ServiceProcess.ts"
import { migrated } from "../support/TestDatabase.ts"
import { isWanted, url as redisUrl } from "../support/TestRedis.ts"

const limits = { rate: 10, login: 5 }

/** Two processes of the service that share a database, and Redis where it is given. */
const services = Effect.fnUntraced(function* (store: Readonly<Record<string, string>>) {
  const DATABASE_URL = yield* migrated
  const start = Effect.gen(function* () {
    const port = yield* freePort
    const service = yield* spawnService(port, {
      DATABASE_URL,
      CLUSTER: "true",
      CLUSTER_HOST: "127.0.0.1",
      CLUSTER_PORT: String(yield* freePort),
      AUTH_ENABLED: "true",
      BETTER_AUTH_SECRET: "planted-secret-of-the-tests-0123456789abcdef",
      BETTER_AUTH_URL: `http://127.0.0.1:${port}`,
      BYTEBOT_RATE_LIMIT: String(limits.rate),
      BYTEBOT_LOGIN_LIMIT: String(limits.login),
      ...store
    })
    yield* untilReady(service)
    return service
  })
  return yield* Effect.all([start, start], { concurrency: 2 })
})

/** How many of so many requests to each service are answered otherwise than with 429. */
const passed = (pair: ReadonlyArray<ServiceProcess>, count: number, path: string, init: RequestInit) =>
  Effect.promise(async () => {
    let passes = 0
    for (let index = 0; index < count; index++) {
      for (const { url } of pair) if ((await fetch(url + path, init)).status !== 429) passes += 1
    }
    return passes
  })

describe("limits of two services of one address", () => {
  const holds = (store: Readonly<Record<string, string>>) =>
    Effect.gen(function* () {
      const pair = yield* services(store)
      const login = { method: "POST", headers: { "content-type": "application/json" }, body: '{"email":"x"}' }
      assert.strictEqual(yield* passed(pair, limits.login, "/auth/login", login), limits.login)
      assert.strictEqual(yield* passed(pair, limits.rate, "/tasks", {}), limits.rate)
    }).pipe(Effect.scoped)

  it.live("hold for both together, counted in PostgreSQL", () => holds({}))

  it.live.skipIf(!isWanted)("hold for both together, counted in Redis", () => holds({ REDIS_URL: redisUrl }))
})
