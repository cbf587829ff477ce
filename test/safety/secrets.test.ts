import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import * as Desktop from "../emulators/desktop.ts"
import type { Scripted } from "../emulators/modelReplies.ts"
import { type Provider, providers } from "../support/ModelProviders.ts"
import { decodeTask, request } from "../support/RestClient.ts"
import { freePort, spawnService, untilReady } from "../support/ServiceProcess.ts"
import { migrated } from "../support/TestDatabase.ts"
import { until } from "../support/Waiting.ts"

/** A secret in every setting that can hold one; none of them may be seen anywhere. */

const secretOf = (name: string): string => `planted-${name}-4f1c9e`

const keys: Readonly<Record<string, string>> = {
  ANTHROPIC_API_KEY: secretOf("anthropic"),
  OPENAI_API_KEY: secretOf("openai"),
  GEMINI_API_KEY: secretOf("google"),
  BYTEBOT_LLM_PROXY_API_KEY: secretOf("proxy")
}

/** The URL with a user and a password in it. */
const withCredentials = (url: string, secret: string): string => {
  const changed = new URL(url)
  changed.username = "operator"
  changed.password = secret
  return changed.href.replace(/\/$/, "")
}

const finish: Scripted = {
  content: [
    { type: "tool_use", name: "computer_screenshot", input: {} },
    { type: "tool_use", name: "set_task_status", input: { status: "completed", description: "done" } }
  ]
}

/** Providers repeat the key that was wrong, and proxies whatever they like. */
const echoing = (status: number, secret: string): Scripted => ({
  status,
  error: { type: "api_error", message: `Incorrect API key provided: ${secret} (authorization: Bearer ${secret})` }
})

const Page = Schema.Struct({ tasks: Schema.Array(Schema.Struct({ id: Schema.String })) })
const decodePage = Schema.decodeUnknownSync(Page)

const run = Effect.fnUntraced(function* ({ model, name, settings, start }: Provider) {
  const emulator = yield* Effect.acquireRelease(Effect.promise(start), (started) =>
    Effect.promise(() => started.close())
  )
  const desktop = yield* Desktop.scoped()
  const databaseUrl = yield* migrated
  const secrets = [
    ...Object.values(keys),
    secretOf("auth"),
    secretOf("otel"),
    secretOf("desktop"),
    secretOf("analytics"),
    ...(new URL(databaseUrl).password.length > 8 ? [decodeURIComponent(new URL(databaseUrl).password)] : [])
  ]
  const service = yield* spawnService(yield* freePort, {
    ...settings(emulator.url),
    ...keys,
    DATABASE_URL: databaseUrl,
    BYTEBOT_DESKTOP_BASE_URL: `office=${withCredentials(desktop.url, secretOf("desktop"))}`,
    BYTEBOT_ANALYTICS_ENDPOINT: withCredentials("http://127.0.0.1:1/report", secretOf("analytics")),
    BETTER_AUTH_SECRET: `${secretOf("auth")}-that-is-long-enough-for-a-secret`,
    OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:1",
    OTEL_EXPORTER_OTLP_HEADERS: `authorization=${secretOf("otel")}`,
    BYTEBOT_MODEL_RETRY_FOR: "0",
    LOG_LEVEL: "debug"
  })
  yield* untilReady(service)
  const seen: Array<readonly [place: string, text: string]> = []
  const look = (path: string, init: RequestInit = {}) =>
    Effect.promise(async () => {
      const answer = await fetch(`${service.url}${path}`, init)
      const text = await answer.text()
      seen.push([path, `${JSON.stringify([...answer.headers])}\n${text}`])
      return text
    })
  const secret = secretOf(name)
  for (const [status, replies] of [
    ["COMPLETED", [finish]],
    ["FAILED", [echoing(401, secret)]],
    ["FAILED", [echoing(400, secret)]],
    ["FAILED", [echoing(500, secret)]]
  ] as const) {
    emulator.enqueue(...replies)
    const { json } = yield* request(service.url, "POST", "/tasks", {
      description: "look around",
      model: { provider: name, name: model, title: model, contextWindow: 200_000 }
    })
    const { id } = decodeTask(json)
    yield* until(
      `the task is ${status}: ${service.output().slice(-500)}`,
      Effect.map(request(service.url, "GET", `/tasks/${id}`), (answer) =>
        decodeTask(answer.json).status === status ? true : undefined
      )
    )
  }
  const { tasks } = decodePage(JSON.parse(yield* look("/tasks?limit=100")))
  for (const { id } of tasks) {
    for (const rest of ["", "/messages", "/messages/processed", "/usage"]) yield* look(`/tasks/${id}${rest}`)
  }
  for (const path of ["/desktops", "/tasks/models", "/health", "/health/detailed", "/health/ready", "/metrics"]) {
    yield* look(path)
  }
  yield* look("/tasks", { method: "POST", headers: { "content-type": "application/json" }, body: "{}" })
  yield* look("/nowhere?key=value")
  service.signal("SIGTERM")
  yield* service.ended
  seen.push(["the output", service.output()])
  return { secrets, seen, output: service.output() }
})

describe("Secrets in the settings", () => {
  it.live.each(providers)(
    "are in no answer and no log line, whatever $name does",
    (provider) =>
      Effect.gen(function* () {
        const { output, secrets, seen } = yield* run(provider)
        assert.match(output, /"level":"DEBUG"/)
        const leaks = seen.flatMap(([place, text]) =>
          secrets
            .filter((secret) => text.includes(secret))
            .map(
              (secret) => `${secret} in ${place}: ${text.slice(Math.max(0, text.indexOf(secret) - 200)).slice(0, 300)}`
            )
        )
        assert.deepStrictEqual(leaks, [])
      }).pipe(Effect.scoped),
    60_000
  )

  it.live("are not shown when a setting is wrong", () =>
    Effect.gen(function* () {
      const secret = secretOf("wrong")
      const service = yield* spawnService(yield* freePort, {
        DATABASE_URL: `mysql://root:${secret}@db/bytebot`,
        REDIS_URL: `http://user:${secret}@redis:6379`,
        BYTEBOT_DESKTOP_BASE_URL: `ftp://user:${secret}@desktop`,
        ANTHROPIC_BASE_URL: `ftp://user:${secret}@models`,
        LOG_LEVEL: "debug"
      })
      assert.strictEqual(yield* service.ended, 1)
      assert.include(service.output(), "DATABASE_URL")
      assert.include(service.output(), "REDIS_URL")
      assert.notInclude(service.output(), secret)
    }).pipe(Effect.scoped)
  )
})
