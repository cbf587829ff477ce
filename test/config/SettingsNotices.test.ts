import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Effect, Schema } from "effect"
import { editDistance } from "../../src/config/SettingsNotices.ts"
import { settingsFrom } from "./decoded.ts"

const noticesFor = (variables: Record<string, string>) => Effect.map(settingsFrom(variables), ({ notices }) => notices)

describe("settings without effect", () => {
  it.effect("are named when they are set to something else than their default", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* noticesFor({ AUTH_ENABLED: "no", CLUSTER: "0", MIGRATE_ON_START: "1" }), [])
      assert.deepStrictEqual(yield* noticesFor({ WORKERS: "4" }), [
        "WORKERS is ignored: the service is one process; start more replicas instead."
      ])
    })
  )

  it.effect("do not include those that work", () =>
    Effect.gen(function* () {
      const working = {
        ANTHROPIC_API_KEY: "key",
        OTEL_SERVICE_NAME: "mine",
        PORT: "1",
        BYTEBOT_SETTLE_DELAY: "5",
        CORS_ORIGINS: "*"
      }
      assert.deepStrictEqual(yield* noticesFor(working), [])
    })
  )
})

describe("misspelt names", () => {
  it.effect.each([
    ["BYTEBOT_DESKTOP_BASE_URLS", "BYTEBOT_DESKTOP_BASE_URL"],
    ["BYTEBOT_DESKTOP_URL", "BYTEBOT_DESKTOP_BASE_URL"],
    ["BYTEBOT_SETLE_DELAY", "BYTEBOT_SETTLE_DELAY"],
    ["BYTEBOT_DATADIR", "BYTEBOT_DATA_DIR"],
    ["BYTEBOT_MAX_ITERATION", "BYTEBOT_MAX_ITERATIONS"],
    ["ANTHROPIC_API_KEYS", "ANTHROPIC_API_KEY"],
    ["OPENAI_APIKEY", "OPENAI_API_KEY"],
    ["PROT", "PORT"]
  ])("%s", ([name = "", meant]) =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* noticesFor({ [name]: "1" }), [`${name} is not a setting; did you mean ${meant}?`])
    })
  )

  it.effect("are not suspected in other people's variables", () =>
    Effect.gen(function* () {
      const others = {
        BYTEBOT_DESKTOP_VNC_URL: "x",
        BYTEBOT_AGENT_BASE_URL: "x",
        NODE_ENV: "x",
        PORTS: "x",
        HOSTS: "x",
        DATABASE_URI: "x",
        DATABASE_USER: "x"
      }
      assert.deepStrictEqual(yield* noticesFor(others), [])
    })
  )

  const word = Arbitrary.schema(Schema.String.check(Schema.isMaxLength(8)))

  it.prop(
    "are measured by a distance: none to itself, the same both ways, no longer than a detour",
    [word, word, word],
    ([a, b, c]) => {
      assert.strictEqual(editDistance(a, a), 0)
      assert.strictEqual(editDistance(a, b), editDistance(b, a))
      assert.isAtMost(editDistance(a, c), editDistance(a, b) + editDistance(b, c))
    }
  )

  it("are measured in single characters", () => {
    assert.strictEqual(editDistance("kitten", "sitting"), 3)
    assert.strictEqual(editDistance("", "abc"), 3)
  })
})
