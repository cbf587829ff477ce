import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { startupNotice } from "../../src/config/StartupNotice.ts"
import { settingsFrom } from "./decoded.ts"

const noticeFor = (variables: Record<string, string>, address = "http://0.0.0.0:9991") =>
  Effect.map(settingsFrom(variables), (settings) =>
    startupNotice(settings, { address, database: "private PostgreSQL in .data" })
  )

describe("the notice at start", () => {
  it.effect("says what is missing, how to add it and what to try", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* noticeFor({}), [
        "bytebot-agent listens on http://0.0.0.0:9991",
        "  database: private PostgreSQL in .data",
        "  desktop:  none",
        "  models:   none",
        "Before tasks can run it needs (in the environment or in .env, then start again):",
        "  - a model: set ANTHROPIC_API_KEY or OPENAI_API_KEY or GEMINI_API_KEY or BYTEBOT_LLM_PROXY_URL",
        "  - a desktop: set BYTEBOT_DESKTOP_BASE_URL=http://localhost:9990",
        "Warning: whoever reaches http://0.0.0.0:9991 can use the desktop and read every task: set AUTH_ENABLED=true, or HOST=127.0.0.1",
        "Try: curl http://localhost:9991/tasks"
      ])
    })
  )

  it.effect("says what is used, and nothing else when nothing is missing", () =>
    Effect.gen(function* () {
      const variables = { ANTHROPIC_API_KEY: "planted", BYTEBOT_DESKTOP_BASE_URL: "http://me:planted@desk:9990/" }
      const lines = yield* noticeFor(variables, "http://127.0.0.1:4000")
      assert.deepStrictEqual(lines, [
        "bytebot-agent listens on http://127.0.0.1:4000",
        "  database: private PostgreSQL in .data",
        "  desktop:  http://***@desk:9990",
        "  models:   Anthropic",
        "Try: curl http://127.0.0.1:4000/tasks"
      ])
      assert.notInclude(lines.join(), "planted")
    })
  )

  it.effect("passes the remarks on", () =>
    Effect.gen(function* () {
      const lines = yield* noticeFor(
        { BYTEBOT_LLM_PROXY_URL: "http://p:1", WORKERS: "2", BYTEBOT_DESKTOP_BASE_URL: "http://a:1,desk=http://b:1" },
        "http://[::]:80"
      )
      assert.include(lines, "  models:   the proxy")
      assert.include(lines, "  desktop:  http://a:1, desk=http://b:1")
      assert.isTrue(lines.some((line) => line.startsWith("Note: WORKERS is ignored")))
      assert.strictEqual(lines.filter((line) => line.startsWith("Note: ")).length, 1)
      assert.strictEqual(lines.at(-1), "Try: curl http://localhost:80/tasks")
    })
  )
})
