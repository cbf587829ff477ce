import { assert, describe, it, layer } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { AccountsStage, people } from "../accounts/AccountsStage.ts"
import { runProgram } from "../support/Command.ts"
import { freePort } from "../support/ServiceProcess.ts"
import { createTask, reset, Stage, untilStatus } from "../support/Stage.ts"
import { migrated } from "../support/TestDatabase.ts"

const cli = (args: ReadonlyArray<string>, variables: Readonly<Record<string, string>> = {}) =>
  runProgram("cli/main", args, variables)

const decodeId = Schema.decodeUnknownSync(Schema.fromJsonString(Schema.Struct({ id: Schema.String })))

const say = (text: string) => ({
  content: [
    { type: "text" as const, text },
    { type: "tool_use" as const, name: "set_task_status", input: { status: "completed", description: "done" } }
  ]
})

layer(Stage.layer(), { timeout: "60 seconds", excludeTestServices: true })("the command line", (test) => {
  test.effect("creates a task and watches it to its end", () =>
    Effect.gen(function* () {
      yield* reset
      const { model, url } = yield* Stage
      model.script("Look up", say("I looked it up."))
      const { code, stderr, stdout } = yield* cli(["task", "create", "Look up the weather", "--watch"], {
        BYTEBOT_URL: url
      })
      assert.strictEqual(code, 0, stderr)
      assert.include(stdout, "agent  I looked it up.")
      assert.include(stdout, "→ set_task_status")
      assert.match(stdout, /\[COMPLETED\]\n$/)
    })
  )

  test.effect(
    "lists, shows, says, takes over, hands back and cancels; in JSON for scripts",
    () =>
      Effect.gen(function* () {
        yield* reset
        const { model, url } = yield* Stage
        model.script("a long one", { hang: true }, { hang: true })
        const id = yield* createTask("a long one")
        const on = (...args: ReadonlyArray<string>) => cli(["task", ...args, "--url", url])
        yield* untilStatus(id, "RUNNING")
        assert.include((yield* on("list", "--status", "RUNNING")).stdout, id)
        assert.strictEqual((yield* on("list", "--status", "FAILED", "--json")).stdout, "[]\n")
        assert.strictEqual(decodeId((yield* on("show", id, "--json")).stdout).id, id)
        assert.match((yield* on("show", id)).stdout, /model calls: 0/)
        assert.strictEqual((yield* on("message", id, "hurry up")).code, 0)
        assert.strictEqual((yield* on("takeover", id)).code, 0)
        const twice = yield* on("takeover", id)
        assert.strictEqual(twice.code, 1)
        assert.match(twice.stderr, /is not under agent control/)
        assert.strictEqual((yield* on("resume", id)).code, 0)
        assert.include((yield* on("cancel", id)).stdout, "CANCELLED")
        const watched = yield* on("watch", id)
        assert.strictEqual(watched.code, 1)
        assert.match(watched.stderr, /CANCELLED/)
        assert.include(watched.stdout, "user   hurry up")
        const missing = yield* on("show", "none")
        assert.strictEqual(missing.code, 5)
        assert.match(missing.stderr, /Task with ID none not found/)
      }),
    120_000
  )

  test.effect("doctor finds everything in order", () =>
    Effect.gen(function* () {
      const { desktop, model, url } = yield* Stage
      const { code, stdout } = yield* cli(["doctor"], {
        DATABASE_URL: yield* migrated,
        BYTEBOT_DESKTOP_BASE_URL: desktop.url,
        ANTHROPIC_API_KEY: "any",
        ANTHROPIC_BASE_URL: model.url,
        BYTEBOT_URL: url
      })
      assert.strictEqual(code, 0, stdout)
      assert.strictEqual(stdout.match(/^ok /gm)?.length, 4)
      assert.include(stdout, `service: ${url}, version`)
    })
  )
})

layer(AccountsStage.layer(), { timeout: "60 seconds", excludeTestServices: true })(
  "the command line and accounts",
  (test) => {
    test.effect("sends its token", () =>
      Effect.gen(function* () {
        const { url } = yield* AccountsStage
        const { key } = yield* people
        const refused = yield* cli(["task", "list"], { BYTEBOT_URL: url })
        assert.strictEqual(refused.code, 4)
        const token = key.authorization?.slice(7) ?? ""
        assert.strictEqual((yield* cli(["task", "list"], { BYTEBOT_URL: url, BYTEBOT_TOKEN: token })).code, 0)
        assert.strictEqual((yield* cli(["task", "list", "--url", url, "--token", token, "--json"])).stdout, "[]\n")
      })
    )
  }
)

describe("the command line, alone", () => {
  it.live(
    "helps everywhere, and says what it does not understand",
    () =>
      Effect.gen(function* () {
        const help = yield* cli(["--help"])
        const commands = [
          "serve",
          "migrate",
          "doctor",
          "task create",
          "task list",
          "task show",
          "task watch",
          "task message",
          "task takeover",
          "task resume",
          "task cancel",
          "migrate up",
          "db url",
          "db serve",
          "user create",
          "login",
          "demo",
          "open"
        ]
        assert.include(help.stdout, "doctor")
        const outputs = yield* Effect.forEach(commands, (command) => cli([...command.split(" "), "--help"]), {
          concurrency: 4
        })
        for (const [index, { code, stdout }] of outputs.entries()) {
          assert.strictEqual(code, 0)
          assert.include(stdout, `bytebot-agent ${commands[index]}`)
        }
        for (const args of [["nonsense"], ["task", "show"], ["task", "list", "--limit", "x"]]) {
          assert.strictEqual((yield* cli(args)).code, 2, args.join(" "))
        }
        const gone = yield* cli(["task", "watch", "t", "--url", `http://127.0.0.1:${yield* freePort}`])
        assert.strictEqual(gone.code, 3)
        const away = yield* cli(["task", "list", "--url", `http://127.0.0.1:${yield* freePort}`])
        assert.strictEqual(away.code, 3)
        assert.match(away.stderr, /^The service does not answer/)
      }),
    180_000
  )

  it.live(
    "doctor says what to fix; migrate brings a database up to date",
    () =>
      Effect.gen(function* () {
        const sick = yield* cli(["doctor", "--json"], {
          DATABASE_URL: `postgresql://nobody@127.0.0.1:${yield* freePort}/none`,
          DATABASE_CONNECT_TIMEOUT: "500",
          BYTEBOT_DESKTOP_BASE_URL: `http://127.0.0.1:${yield* freePort}`,
          ANTHROPIC_API_KEY: "any",
          ANTHROPIC_BASE_URL: `http://127.0.0.1:${yield* freePort}`,
          BYTEBOT_URL: `http://127.0.0.1:${yield* freePort}`
        })
        assert.strictEqual(sick.code, 1)
        assert.strictEqual(sick.stdout.match(/"ok":false/g)?.length, 3, sick.stdout)
        assert.match(sick.stdout, /"what":"service","ok":true,"note":"none answers at http/)
        const url = yield* migrated
        const status = yield* cli(["migrate", "status"], { DATABASE_URL: url })
        assert.strictEqual(status.code, 0, status.stderr)
        assert.include(status.stdout, "is up to date")
      }).pipe(Effect.scoped),
    180_000
  )
})
