import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { startupBanner, startupNotice } from "../../src/config/StartupNotice.ts"
import { settingsFrom } from "./decoded.ts"

const info = { database: "private PostgreSQL in .data", version: "1.2.3" }

const noticeFor = (variables: Record<string, string>, address = "http://0.0.0.0:9991") =>
  Effect.map(settingsFrom(variables), (settings) => startupNotice(settings, { ...info, address }))

const bannerFor = (variables: Record<string, string>, address: string) =>
  Effect.map(settingsFrom(variables), (settings) => startupBanner(settings, { ...info, address }))

const complete = { ANTHROPIC_API_KEY: "planted", BYTEBOT_DESKTOP_BASE_URL: "http://me:planted@desk:9990/" }

describe("the log's lines at start", () => {
  it.effect("warn of what is missing, and say how to add it", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* noticeFor({}), {
        lines: [
          "bytebot-agent 1.2.3 listens on http://0.0.0.0:9991",
          "database: private PostgreSQL in .data",
          "desktop: none",
          "models: none"
        ],
        warnings: [
          "No model is configured: set ANTHROPIC_API_KEY or OPENAI_API_KEY or GEMINI_API_KEY or BYTEBOT_LLM_PROXY_URL, and start again",
          "No desktop is configured, tasks wait: set BYTEBOT_DESKTOP_BASE_URL=http://localhost:9990, and start again",
          "Every client that reaches http://0.0.0.0:9991 can use the desktop and read every task: set AUTH_ENABLED=true, or HOST=127.0.0.1"
        ]
      })
    })
  )

  it.effect("say what is used, without passwords, and warn of nothing when nothing is missing", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* noticeFor(complete, "http://127.0.0.1:4000"), {
        lines: [
          "bytebot-agent 1.2.3 listens on http://127.0.0.1:4000",
          "database: private PostgreSQL in .data",
          "desktop: http://***@desk:9990",
          "models: Anthropic"
        ],
        warnings: []
      })
    })
  )

  it.effect("warn of settings without effect, and name desktops whose names say more than their addresses", () =>
    Effect.gen(function* () {
      const { lines, warnings } = yield* noticeFor(
        { BYTEBOT_LLM_PROXY_URL: "http://p:1", WORKERS: "2", BYTEBOT_DESKTOP_BASE_URL: "http://a:1,desk=http://b:1" },
        "http://[::1]:80"
      )
      assert.include(lines, "models: the proxy")
      assert.include(lines, "desktop: http://a:1, desk=http://b:1")
      assert.strictEqual(warnings.length, 1)
      assert.match(warnings[0] ?? "", /^WORKERS is ignored/)
    })
  )
})

describe("the banner at start", () => {
  it.effect("has the addresses to open, and the lines that add what is missing", () =>
    Effect.gen(function* () {
      const { lines, warnings } = yield* bannerFor({}, "http://0.0.0.0:9991")
      const text = lines.join("\n")
      assert.match(text, /^ {2}Address +http:\/\/localhost:9991$/m)
      assert.match(text, /^ {2}Docs +http:\/\/localhost:9991\/docs$/m)
      assert.match(text, /^ {2}Models +none\. .* {2}ANTHROPIC_API_KEY=your key /m)
      assert.match(text, /^ {2}Desktop +none\. .* {2}BYTEBOT_DESKTOP_BASE_URL=http:\/\/localhost:9990$/m)
      assert.match(text, /^ {2}Demo +npx bytebot-agent demo /m)
      assert.match(text, /task create "Open the browser" --watch$/m)
      assert.strictEqual(warnings.length, 1)
    })
  )

  it.effect("tells the command line where the service is when that is not its default", () =>
    Effect.gen(function* () {
      const { lines, warnings } = yield* bannerFor(complete, "http://127.0.0.1:4000")
      const text = lines.join("\n")
      assert.include(text, "--watch --url http://localhost:4000")
      assert.match(text, /^ {2}Models +Anthropic$/m)
      assert.match(text, /^ {2}Desktop +http:\/\/\*\*\*@desk:9990$/m)
      assert.notInclude(text, "planted")
      assert.deepStrictEqual(warnings, [])
    })
  )
})
