import { assert, describe, it, layer } from "@effect/vitest"
import { Context, Effect, Layer, Result } from "effect"
import { TestClock } from "effect/testing"
import { Settings } from "../../src/config/Settings.ts"
import * as LimitStores from "../../src/limits/LimitStores.ts"
import { RequestLimits } from "../../src/limits/RequestLimits.ts"
import { limitKey } from "../../src/transports/ClientAddress.ts"
import { AccountsStage } from "../accounts/AccountsStage.ts"
import { Network } from "../support/Network.ts"
import { clientLayer, TestDatabase } from "../support/TestDatabase.ts"
import { isWanted, url as redisUrl } from "../support/TestRedis.ts"
import { until } from "../support/Waiting.ts"

const settings = (variables: Readonly<Record<string, string>>) =>
  Settings.layerFrom({ BYTEBOT_RATE_LIMIT: "10", BYTEBOT_LOGIN_LIMIT: "5", ...variables })

/** How many of so many calls are let through, one after the other. */
const passed = Effect.fnUntraced(function* (calls: number, call: Effect.Effect<void, unknown>) {
  let count = 0
  for (let index = 0; index < calls; index++) if (Result.isSuccess(yield* Effect.result(call))) count += 1
  return count
})

/** The limits of a replica of its own, on the test's database. */
const replica = Effect.fnUntraced(function* (variables: Readonly<Record<string, string>>) {
  const { url } = yield* TestDatabase
  const context = yield* Layer.build(
    Layer.fresh(RequestLimits.configured.pipe(Layer.provide([settings(variables), clientLayer(url)])))
  )
  return Context.get(context, RequestLimits)
})

const shared = (variables: Readonly<Record<string, string>>) =>
  Effect.gen(function* () {
    const [one, other] = [yield* replica(variables), yield* replica(variables)]
    const key = `address ${Math.random()}`
    const logins =
      (yield* passed(4, one.countLogin(key))) +
      (yield* passed(4, other.countLogin(key))) +
      (yield* passed(4, one.countLogin(key)))
    const requests = (yield* passed(8, one.countRequest(key))) + (yield* passed(8, other.countRequest(key)))
    return { logins, requests }
  })

describe("limits of several replicas", () => {
  it.live("replicas count requests together in PostgreSQL", () =>
    Effect.gen(function* () {
      const variables = { CLUSTER: "true", DATABASE_URL: (yield* TestDatabase).url }
      assert.deepStrictEqual(yield* shared(variables), { logins: 5, requests: 10 })
    }).pipe(Effect.scoped, Effect.provide(TestDatabase.withClient))
  )

  it.live.skipIf(!isWanted)("replicas count requests together in Redis", () =>
    Effect.gen(function* () {
      const variables = { CLUSTER: "true", DATABASE_URL: (yield* TestDatabase).url, REDIS_URL: redisUrl }
      assert.deepStrictEqual(yield* shared(variables), { logins: 5, requests: 10 })
    }).pipe(Effect.scoped, Effect.provide(TestDatabase.withClient))
  )

  it.live.skipIf(!isWanted)("replicas count in Redis again after its outage", () =>
    Effect.gen(function* () {
      const network = yield* Network.to(redisUrl)
      const variables = { DATABASE_URL: (yield* TestDatabase).url, REDIS_URL: network.url }
      const [one, other] = [yield* replica(variables), yield* replica({ ...variables, REDIS_URL: redisUrl })]
      network.refuse()
      assert.strictEqual(yield* passed(8, one.countLogin("while it is away")), 5)
      network.accept()
      yield* until(
        "both count together",
        Effect.gen(function* () {
          const key = `back ${Math.random()}`
          const count = (yield* passed(4, one.countLogin(key))) + (yield* passed(4, other.countLogin(key)))
          return count === 5 ? true : undefined
        }),
        "30 seconds"
      )
    }).pipe(Effect.scoped, Effect.provide(TestDatabase.withClient))
  )

  it.live("each replica counts for itself during an outage of Redis", () =>
    Effect.gen(function* () {
      const variables = { REDIS_URL: "redis://127.0.0.1:1", DATABASE_URL: (yield* TestDatabase).url }
      assert.deepStrictEqual(yield* shared(variables), { logins: 9, requests: 16 })
    }).pipe(Effect.scoped, Effect.provide(TestDatabase.withClient))
  )

  it.live("each replica counts for itself while PostgreSQL does not answer", () =>
    Effect.gen(function* () {
      const { url } = yield* TestDatabase
      const network = yield* Network.to(url)
      const variables = { CLUSTER: "true", DATABASE_URL: network.url }
      const context = yield* Layer.build(
        RequestLimits.configured.pipe(Layer.provide([settings(variables), clientLayer(network.url)]))
      )
      const limits = Context.get(context, RequestLimits)
      assert.strictEqual(yield* passed(2, limits.countLogin("a")), 2)
      network.freeze()
      assert.strictEqual(yield* passed(8, limits.countLogin("a")), 5)
    }).pipe(Effect.scoped, Effect.provide(TestDatabase.withClient))
  )
})

const alone = RequestLimits.layer.pipe(Layer.provide([LimitStores.memory(3), settings({})]))

describe("limits of one process", () => {
  it.effect("a limit is lifted after a minute", () =>
    Effect.gen(function* () {
      const limits = yield* RequestLimits
      assert.strictEqual(yield* passed(20, limits.countRequest("a")), 10)
      const refused = yield* Effect.flip(limits.countRequest("a"))
      assert.isAtMost(refused.retryAfter, 60)
      yield* TestClock.adjust("61 seconds")
      assert.strictEqual(yield* passed(20, limits.countRequest("a")), 10)
    }).pipe(Effect.provide(alone))
  )

  it.effect("evicts the key counted longest ago when there are too many, and no other", () =>
    Effect.gen(function* () {
      const limits = yield* RequestLimits
      for (const key of ["a", "b", "c"]) yield* passed(10, limits.countRequest(key))
      yield* limits.countRequest("d")
      assert.strictEqual(yield* passed(1, limits.countRequest("b")), 0)
      assert.strictEqual(yield* passed(1, limits.countRequest("c")), 0)
      assert.strictEqual(yield* passed(20, limits.countRequest("a")), 10)
    }).pipe(Effect.provide(alone))
  )
})

describe("the key of an address", () => {
  it.each([
    ["192.0.2.1", "address 192.0.2.1"],
    ["::ffff:192.0.2.1", "address 192.0.2.1"],
    ["2001:db8:1:2:3:4:5:6", "address 2001:db8:1:2::/64"],
    ["2001:0DB8:0001:0002::9", "address 2001:db8:1:2::/64"],
    ["2001:db8::9", "address 2001:db8:0:0::/64"],
    ["::1", "address 0:0:0:0::/64"],
    ["fe80::1%eth0", "address fe80:0:0:0::/64"],
    ["x".repeat(10_000), `address ${"x".repeat(64)}`]
  ])("is the network of 64 bits for IPv6, and bounded: %s", (address, key) => {
    assert.strictEqual(limitKey(address), key)
  })
})

layer(AccountsStage.layer({ BYTEBOT_LOGIN_LIMIT: "5" }), { timeout: "60 seconds", excludeTestServices: true })(
  "attempts to log in",
  (test) => {
    test.effect("counts logins under all names of the route together", () =>
      Effect.gen(function* () {
        const { send } = yield* AccountsStage
        const statuses: Array<number> = []
        for (const path of ["/auth/login", "/api/auth/sign-in/email", "/auth/register", "/api/auth/sign-up/email"]) {
          for (let count = 0; count < 2; count++) statuses.push((yield* send({}, "POST", path, { email: "x" })).status)
        }
        assert.deepStrictEqual(
          statuses.map((status) => status === 429),
          [false, false, false, false, false, true, true, true]
        )
        const answer = yield* send({}, "POST", "/auth/login", { email: "x" })
        assert.isAbove(Number(answer.headers.get("retry-after")), 0)
        assert.deepInclude(answer.json, { error: "Too Many Requests", statusCode: 429 })
        assert.strictEqual((yield* send({}, "GET", "/api/auth/get-session")).status, 200)
      })
    )
  }
)
