import { execFile } from "node:child_process"
import { resolve } from "node:path"
import { pathToFileURL } from "node:url"
import { inspect, promisify } from "node:util"
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Duration, Effect, FileSystem, Option, Redacted, Schema } from "effect"
import { afterEach, vi } from "vitest"
import { readSettings } from "../../src/config/Settings.ts"
import { settings as rows } from "../../src/config/SettingsTable.ts"
import { settingsFrom } from "./decoded.ts"

const folderWith = (content: string) =>
  Effect.gen(function* () {
    const files = yield* FileSystem.FileSystem
    const folder = yield* files.makeTempDirectoryScoped()
    yield* files.writeFileString(resolve(folder, ".env"), content)
    return folder
  }).pipe(Effect.provide(NodeFileSystem.layer))

const millis = (duration: Duration.Duration) => Duration.toMillis(duration)

describe("defaults", () => {
  it.effect("are those of the contract", () =>
    Effect.gen(function* () {
      const settings = yield* settingsFrom({})
      assert.strictEqual(settings.port, 9991)
      assert.strictEqual(settings.host, "0.0.0.0")
      assert.strictEqual(settings.logLevel, "Info")
      assert.strictEqual(settings.logFormat, "auto")
      assert.strictEqual(millis(settings.shutdownTimeout), 10_000)
      assert.strictEqual(settings.dataDir, ".data")
      assert.strictEqual(settings.databasePoolMax, 10)
      assert.strictEqual(millis(settings.databaseConnectTimeout), 5000)
      assert.strictEqual(millis(settings.databaseStatementTimeout), 7000)
      assert.strictEqual(millis(settings.databaseConnectRetry), 60_000)
      assert.strictEqual(settings.migrateOnStart, true)
      assert.strictEqual(millis(settings.modelRetryFor), 900_000)
      assert.deepStrictEqual(settings.desktops, [])
      assert.strictEqual(millis(settings.settleDelay), 750)
      assert.strictEqual(settings.maxIterations, 500)
      assert.strictEqual(settings.clusterEnabled, false)
      assert.strictEqual(settings.authEnabled, false)
      assert.deepStrictEqual(settings.notices, [])
      for (const { field, name, default: text } of rows) {
        if (text === undefined) assert.deepStrictEqual<unknown>(settings[field], Option.none(), name)
      }
    })
  )

  it.effect("hold for variables that are empty or blank", () =>
    Effect.gen(function* () {
      const blank = Object.fromEntries(rows.map(({ name }, index) => [name, index % 2 === 0 ? "" : " \t"]))
      assert.deepStrictEqual(yield* settingsFrom(blank), yield* settingsFrom({}))
    })
  )

  it.effect("mean the same when they are written out", () =>
    Effect.gen(function* () {
      const written = Object.fromEntries(rows.map(({ name, default: text }) => [name, text ?? ""]))
      assert.deepStrictEqual(yield* settingsFrom(written), yield* settingsFrom({}))
    })
  )
})

describe("values", () => {
  it.effect("are decoded to their types", () =>
    Effect.gen(function* () {
      const settings = yield* settingsFrom({
        PORT: " 0 ",
        LOG_LEVEL: "WARN",
        LOG_FORMAT: "Json",
        MIGRATE_ON_START: "no",
        SHUTDOWN_TIMEOUT: "0",
        CORS_ORIGINS: "https://App.example.com/, http://localhost:3000",
        DATABASE_URL: "postgres://me:p%40ss@db/bytebot?sslmode=require",
        ANTHROPIC_BASE_URL: "http://localhost:4000/",
        BYTEBOT_ANALYTICS_ENDPOINT: "https://stats.example.com/in?key=1",
        OTEL_TRACES_SAMPLER_ARG: "0.25"
      })
      assert.strictEqual(settings.port, 0)
      assert.strictEqual(settings.logLevel, "Warn")
      assert.strictEqual(settings.logFormat, "json")
      assert.strictEqual(settings.migrateOnStart, false)
      assert.strictEqual(millis(settings.shutdownTimeout), 0)
      assert.deepStrictEqual(settings.corsOrigins, Option.some(["https://app.example.com", "http://localhost:3000"]))
      assert.deepStrictEqual(
        Option.map(settings.databaseUrl, Redacted.value),
        Option.some("postgres://me:p%40ss@db/bytebot?sslmode=require")
      )
      assert.deepStrictEqual(settings.anthropicBaseUrl, Option.some("http://localhost:4000"))
      assert.deepStrictEqual(settings.analyticsEndpoint, Option.some("https://stats.example.com/in?key=1"))
      assert.deepStrictEqual(settings.otelTracesSamplerArg, Option.some(0.25))
    })
  )

  it.effect("of models get a title and a context window", () =>
    Effect.gen(function* () {
      const { models } = yield* settingsFrom({
        BYTEBOT_MODELS: JSON.stringify([
          { provider: "anthropic", name: "claude-one" },
          { provider: "proxy", name: "m", title: "Mine", contextWindow: 8192 }
        ])
      })
      assert.deepStrictEqual(
        models,
        Option.some([
          { provider: "anthropic", name: "claude-one", title: "claude-one", contextWindow: 200_000 },
          { provider: "proxy", name: "m", title: "Mine", contextWindow: 8192 }
        ])
      )
    })
  )

  it.effect("are read from aliases, after the name itself", () =>
    Effect.gen(function* () {
      const aliased = yield* settingsFrom({ GOOGLE_API_KEY: "g", JWT_SECRET: "j" })
      assert.deepStrictEqual(Option.map(aliased.geminiApiKey, Redacted.value), Option.some("g"))
      assert.deepStrictEqual(Option.map(aliased.betterAuthSecret, Redacted.value), Option.some("j"))
      const both = yield* settingsFrom({ GOOGLE_API_KEY: "g", GEMINI_API_KEY: "name" })
      assert.deepStrictEqual(Option.map(both.geminiApiKey, Redacted.value), Option.some("name"))
    })
  )

  const hostLabel = Arbitrary.schema(Schema.String.check(Schema.isPattern(/^[a-z]{1,8}$/)))

  it.effect.prop(
    "of comma lists keep order and lose blanks, closing slashes and repetitions",
    [Arbitrary.array(hostLabel), Arbitrary.schema(Schema.Literals([",", " , ", ",,", "/,", ", \t,"]))],
    ([labels, separator]) =>
      Effect.gen(function* () {
        const urls = labels.map((label) => `http://${label}.test:9990`)
        const { desktops } = yield* settingsFrom({ BYTEBOT_DESKTOP_BASE_URL: urls.join(separator) })
        assert.deepStrictEqual(
          desktops.map(({ url }) => url),
          [...new Set(urls)]
        )
      })
  )

  it.effect("of desktops have names: those given, else host, port and path", () =>
    Effect.gen(function* () {
      const named = yield* settingsFrom({
        BYTEBOT_DESKTOP_BASE_URL: "office=http://u:p@a:9990/, http://b:9990, https://gate/two, http://b:9990"
      })
      assert.deepStrictEqual(named.desktops, [
        { name: "office", url: "http://u:p@a:9990" },
        { name: "b:9990", url: "http://b:9990" },
        { name: "gate/two", url: "https://gate/two" }
      ])
    })
  )

  it.effect.each(["x=http://a:1,x=http://b:1", "x=http://a:1,y=http://a:1", "http://a:1,http://u@a:1", "x="])(
    "of desktops are refused where names or URLs are not distinct: %s",
    (list) =>
      Effect.gen(function* () {
        const error = yield* Effect.flip(settingsFrom({ BYTEBOT_DESKTOP_BASE_URL: list }))
        assert.include(error.message, "each name and each URL once")
      })
  )

  it.effect.prop(
    "of durations are whole milliseconds that fit a timer, and nothing else",
    [Schema.Union([Schema.Int, Schema.Finite, Schema.String])],
    ([value]) =>
      Effect.gen(function* () {
        const text = String(value).trim()
        const valid = text === "" || (/^\d+$/.test(text) && Number(text) < 2 ** 31)
        const decoded = yield* Effect.option(settingsFrom({ BYTEBOT_SETTLE_DELAY: text }))
        const expected = valid ? Option.some(text === "" ? 750 : Number(text)) : Option.none()
        assert.deepStrictEqual(
          Option.map(decoded, ({ settleDelay }) => millis(settleDelay)),
          expected
        )
      })
  )
})

describe("sources", () => {
  afterEach(() => {
    vi.unstubAllEnvs()
  })

  it.effect("are the environment over .env", () =>
    Effect.gen(function* () {
      vi.stubEnv("PORT", "1111")
      vi.stubEnv("HOST", "")
      vi.stubEnv("GOOGLE_API_KEY", "from the environment")
      const folder = yield* folderWith(
        "# comment\nPORT=2222\nexport HOST='127.0.0.1' # local\r\nDATABASE_POOL_MAX=\"7\"\nGEMINI_API_KEY=from the file\n"
      )
      const settings = yield* readSettings(folder)
      assert.strictEqual(settings.port, 1111)
      assert.strictEqual(settings.host, "127.0.0.1")
      assert.strictEqual(settings.databasePoolMax, 7)
      assert.deepStrictEqual(Option.map(settings.geminiApiKey, Redacted.value), Option.some("from the environment"))
    })
  )

  it.effect("may lack .env", () =>
    Effect.gen(function* () {
      const files = yield* FileSystem.FileSystem
      vi.stubEnv("PORT", "1234")
      const settings = yield* readSettings(yield* files.makeTempDirectoryScoped())
      assert.strictEqual(settings.port, 1234)
    }).pipe(Effect.provide(NodeFileSystem.layer))
  )

  it.effect("fail clearly when .env is not a readable file", () =>
    Effect.gen(function* () {
      const files = yield* FileSystem.FileSystem
      const folder = yield* files.makeTempDirectoryScoped()
      yield* files.makeDirectory(resolve(folder, ".env"))
      const error = yield* Effect.flip(readSettings(folder))
      assert.strictEqual(error._tag, "SettingsInvalid")
      assert.match(error.message, /^ {2}\.env: cannot be read \(\w+\); expected a readable file, or none$/m)
    }).pipe(Effect.provide(NodeFileSystem.layer))
  )

  it.live("of the service's layer are the process's variables and working folder", () =>
    Effect.gen(function* () {
      const folder = yield* folderWith("PORT=2222\nHOST=127.0.0.1\n")
      const module = JSON.stringify(pathToFileURL(resolve("src/config/Settings.ts")).href)
      const script = `import { Effect } from ${JSON.stringify(import.meta.resolve("effect"))}
        import { Settings } from ${module}
        const program = Effect.map(Settings, ({ port, host }) => process.stdout.write(host + ":" + port))
        await Effect.runPromise(Effect.provide(program, Settings.layer))`
      const { stdout } = yield* Effect.promise(() =>
        promisify(execFile)(process.execPath, ["--input-type=module", "--eval", script], {
          cwd: folder,
          env: { PORT: "1111" }
        })
      )
      assert.strictEqual(stdout, "127.0.0.1:1111")
    })
  )
})

describe("a URL whose password is not percent-encoded", () => {
  for (const character of ["#", "/", "?"]) {
    it.effect(`is refused where a ${character} in it would end the address, and no part of it is shown`, () =>
      Effect.gen(function* () {
        const databaseUrl = `postgresql://user:5432${character}s3cret@db.example.org/bytebot`
        const redisUrl = `redis://user:s3cret${character}planted@redis.example.org:6379`
        const error = yield* Effect.flip(settingsFrom({ DATABASE_URL: databaseUrl, REDIS_URL: redisUrl }))
        assert.match(error.message, /DATABASE_URL: its value \(not shown\).*# as %23/)
        assert.include(error.message, "REDIS_URL: its value (not shown)")
        assert.notMatch(error.message, /5432|s3cret|planted/)
      })
    )
  }

  it.effect("is accepted with an @ in it: the host begins after the last @, as in the URL Standard", () =>
    Effect.gen(function* () {
      const { databaseUrl } = yield* settingsFrom({ DATABASE_URL: "postgresql://user:p@ss@db/bytebot" })
      assert.isTrue(Option.isSome(databaseUrl))
    })
  )
})

describe("bad values", () => {
  const secret = "s3cr3t-value"
  const wrong: Record<string, string> = {
    PORT: "65536",
    HOST: "http://0.0.0.0",
    CORS_ORIGINS: "example.com",
    LOG_LEVEL: "loud",
    LOG_FORMAT: "xml",
    SHUTDOWN_DELAY: "soon",
    BYTEBOT_PROXIES: "-1",
    BYTEBOT_RATE_LIMIT: "0",
    BYTEBOT_REQUEST_TIMEOUT: "0",
    BYTEBOT_READ_TIMEOUT: "0",
    BYTEBOT_BODY_MEMORY: "0",
    BYTEBOT_ANSWER_MEMORY: "64MB",
    BYTEBOT_SOCKETS_PER_ADDRESS: "0",
    BYTEBOT_MAX_FILES: "many",
    BYTEBOT_MAX_FILE_SIZE: "1e3",
    SHUTDOWN_TIMEOUT: "10s",
    DATABASE_URL: `mysql://root:${secret}@db/bytebot`,
    DATABASE_POOL_MAX: "0",
    DATABASE_CONNECT_TIMEOUT: "0",
    DATABASE_STATEMENT_TIMEOUT: "99",
    DATABASE_CONNECT_RETRY: "-1",
    MIGRATE_ON_START: "maybe",
    ANTHROPIC_BASE_URL: "localhost:4000",
    OPENAI_BASE_URL: "ftp://models",
    GOOGLE_GEMINI_BASE_URL: "http://",
    BYTEBOT_LLM_PROXY_URL: "http://proxy/?x=1",
    BYTEBOT_MODELS: '[{"provider": "anthropic", "name": "x", "contextwindow": 1}]',
    BYTEBOT_MODEL_HEADERS: '{"anthropic":{"a header":"x"}}',
    BYTEBOT_MODEL_PRICES: '{"proxy/qwen":{"input":-1,"output":1}}',
    BYTEBOT_CONTEXT_LIMIT: "10",
    BYTEBOT_MODEL_EFFORT: "most",
    BYTEBOT_MODEL_FALLBACKS: "anthropic/claude-haiku-5-5,claude",
    BYTEBOT_MODEL_FALLBACK_AFTER: "-1",
    BYTEBOT_MODEL_RETRY_FOR: "1e3",
    BYTEBOT_MODEL_SILENCE: "10",
    BYTEBOT_DESKTOP_BASE_URL: `http://fine:9990,desk:${secret}@host`,
    BYTEBOT_DESKTOP_APPLICATIONS: "firefox,firefox=browser",
    BYTEBOT_DESKTOP_LOST: "panic",
    BYTEBOT_DESKTOP_LOST_AFTER: "soon",
    BYTEBOT_SETTLE_DELAY: "0.5",
    BYTEBOT_MAX_ITERATIONS: "many",
    BYTEBOT_MAX_WAIT_MINUTES: "0",
    BYTEBOT_KEEP_SCREENSHOTS: "0",
    BYTEBOT_TASK_TOKEN_BUDGET: "0",
    BYTEBOT_TASK_COST_BUDGET: "-1",
    BYTEBOT_ANALYTICS_ENDPOINT: `file://user:${secret}@host/x`,
    CLUSTER: "2",
    CLUSTER_HOST: "pod/1",
    CLUSTER_PORT: "0",
    REDIS_URL: `http://:${secret}@redis`,
    AUTH_ENABLED: "y e s",
    BYTEBOT_SIGN_UP: "perhaps",
    BYTEBOT_LOGIN_LIMIT: "none",
    BETTER_AUTH_URL: "example",
    BETTER_AUTH_TRUSTED_ORIGINS: " , ",
    OTEL_EXPORTER_OTLP_ENDPOINT: "collector:4318",
    OTEL_EXPORTER_OTLP_HEADERS: "a b=c",
    OTEL_EXPORTER_OTLP_PROTOCOL: "grpc",
    OTEL_RESOURCE_ATTRIBUTES: "a=%",
    OTEL_TRACES_SAMPLER: "sometimes",
    OTEL_TRACES_SAMPLER_ARG: "1.5"
  }

  it.effect("are all listed in one message, each on one line with what is expected", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(settingsFrom(wrong))
      const [heading, ...lines] = error.message.split("\n")
      assert.strictEqual(heading, "Some settings are not valid. Please correct them in the environment or in .env:")
      assert.sameMembers(
        lines.map((line) => /^ {2}(\w+): .+ is not valid.*; expected .+$/.exec(line)?.[1]),
        Object.keys(wrong)
      )
      assert.include(
        error.message,
        '  PORT: "65536" in the given variables is not valid; expected a whole number from 0 to 65535'
      )
      assert.include(error.message, "0.contextwindow: ")
    })
  )

  it.effect("cover every setting that can be wrong", () =>
    Effect.sync(() => {
      const anyText = rows.filter(({ expected }) => expected === "some text").map(({ name }) => name)
      assert.sameMembers(
        [...Object.keys(wrong), ...anyText],
        rows.map(({ name }) => name)
      )
    })
  )

  it.effect("are replicas that each have a database of their own", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(settingsFrom({ CLUSTER: "true" }))
      assert.deepStrictEqual(
        error.problems.map(({ name }) => name),
        ["CLUSTER"]
      )
      yield* settingsFrom({ CLUSTER: "true", DATABASE_URL: "postgresql://postgres@db/bytebot" })
    })
  )

  it.effect("may be a single one", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(settingsFrom({ BYTEBOT_MODELS: "{", PORT: "1" }))
      assert.deepStrictEqual(
        error.problems.map(({ name }) => name),
        ["BYTEBOT_MODELS"]
      )
      assert.match(error.message, /^A setting is not valid\. Please correct it /)
    })
  )

  it.effect("show no secret", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(settingsFrom(wrong))
      for (const shown of [
        error.message,
        String(error),
        error.stack ?? "",
        inspect(error, { depth: 9 }),
        JSON.stringify(error)
      ]) {
        assert.notInclude(shown, secret)
      }
    })
  )
})

describe("secrets", () => {
  it.effect("are not shown by the settings", () =>
    Effect.gen(function* () {
      const secrets = Object.fromEntries(
        rows.filter(({ secret }) => secret).map(({ name }) => [name, `${name}-planted`])
      )
      const settings = yield* settingsFrom({
        ...secrets,
        DATABASE_URL: "postgresql://u:DATABASE_URL-planted@h/d",
        BYTEBOT_MODEL_HEADERS: '{"anthropic":{"x-team":"BYTEBOT_MODEL_HEADERS-planted"}}',
        REDIS_URL: "rediss://:REDIS_URL-planted@h",
        OTEL_EXPORTER_OTLP_HEADERS: "authorization=planted"
      })
      assert.isAtLeast(Object.keys(secrets).length, 8)
      for (const shown of [inspect(settings, { depth: 9 }), JSON.stringify(settings), settings.notices.join()]) {
        assert.notInclude(shown, "planted")
      }
    })
  )
})
