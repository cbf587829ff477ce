import { statSync } from "node:fs"
import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { stripVTControlCharacters } from "node:util"
import { assert, describe, it, layer } from "@effect/vitest"
import { Effect } from "effect"
import { AccountsStage, password } from "../accounts/AccountsStage.ts"
import { runProgram } from "../support/Command.ts"
import { createTask, reset, Stage, untilStatus } from "../support/Stage.ts"

/** How the command line speaks with a person: what is shown, how tasks are named, what is refused and how. */

const cli = (
  args: ReadonlyArray<string>,
  variables: Readonly<Record<string, string>> = {},
  through: ReadonlyArray<string> = []
) => runProgram("cli/main", args, variables, through)

/** Runs the command behind it with a terminal for its output; arguments must have no spaces. */
const terminal = ["sh", "-c", 'script --quiet --return --command "$*" /dev/null', "sh"]
/** Gives it the variable PASSWORD on standard input. */
const withPassword = ["sh", "-c", 'printf "%s\\n" "$PASSWORD" | "$@"', "sh"]

const temporaryFolder = Effect.acquireRelease(
  Effect.promise(() => mkdtemp(join(tmpdir(), "bytebot-cli-"))),
  (folder) => Effect.promise(() => rm(folder, { recursive: true, force: true }))
)

const call = (name: string, input: unknown) => ({ content: [{ type: "tool_use" as const, name, input }] })
const end = (status: string, description: string) => call("set_task_status", { status, description })

layer(Stage.layer(), { timeout: "60 seconds", excludeTestServices: true })("the command line, to a person", (test) => {
  test.effect("shows a task's result, its pictures by address, and tools' results as the tools'", () =>
    Effect.gen(function* () {
      yield* reset
      const { model, url } = yield* Stage
      model.script("Look", call("computer_screenshot", {}), end("completed", "It rains."))
      const id = yield* createTask("Look outside")
      yield* untilStatus(id, "COMPLETED")
      const { stdout } = yield* cli(["task", "show", id, "--url", `${url}/`])
      assert.match(stdout, /^result: It rains\.$/m)
      assert.match(stdout, /^created: \S+ \(just now\)$/m)
      const [, picture = ""] = /^picture: (http\S+)$/m.exec(stdout) ?? []
      const answer = yield* Effect.promise(() => fetch(picture))
      assert.deepStrictEqual([answer.status, answer.headers.get("content-type")], [200, "image/png"])
      assert.include(stdout, `page: ${url}/console/tasks/${id}\n`)
      const opened = yield* cli(["open", id.slice(0, 8), "--url", url])
      assert.strictEqual(opened.stdout, `${url}/console/tasks/${id}\n`)
      const watched = yield* cli(["task", "watch", id, "--url", url])
      assert.match(watched.stdout, /^tool {3}← \(image\)$/m)
      assert.match(watched.stdout, /^user {3}Look outside ?$/m)
      assert.notMatch(watched.stdout, /^user {3}←/m)
    })
  )

  test.effect("lists tasks in columns and colours on a terminal, with short ids that name the tasks", () =>
    Effect.gen(function* () {
      yield* reset
      const { model, url } = yield* Stage
      model.script("first", end("completed", "done"))
      const id = yield* createTask("first\tof\nall")
      yield* untilStatus(id, "COMPLETED")
      const { stdout } = yield* cli(["task", "list", "--url", url], { TERM: "xterm-256color" }, terminal)
      assert.include(stdout, "\u001b[32mCOMPLETED")
      const lines = stripVTControlCharacters(stdout).split(/\r?\n/)
      assert.match(lines[0] ?? "", /^ID +STATUS +PRIORITY +CREATED +DESCRIPTION$/)
      assert.strictEqual(lines[1]?.trimEnd(), `${id.slice(0, 8)}  COMPLETED     MEDIUM    just now        first of all`)
      const plain = yield* cli(["task", "list", "--url", url])
      assert.notInclude(plain.stdout, "\u001b")
      assert.include(plain.stdout, id)
      const shown = yield* cli(["task", "show", id.slice(0, 8), "--url", url])
      assert.include(shown.stdout, id)
      const short = yield* cli(["task", "show", id.slice(0, 3), "--url", url])
      assert.strictEqual(short.code, 5)
    })
  )

  test.effect("refuses an id that begins like those of several tasks, and names them", () =>
    Effect.gen(function* () {
      yield* reset
      const { sql, url } = yield* Stage
      yield* sql`
        INSERT INTO "Task" ("id", "description", "status", "model", "updatedAt")
        VALUES ('same-1', 'd', 'COMPLETED', '{}', now()), ('same-2', 'd', 'COMPLETED', '{}', now())`
      const { code, stderr } = yield* cli(["task", "show", "same", "--url", url])
      assert.strictEqual(code, 1)
      assert.match(stderr, /^2 tasks have an id that begins with same: same-\d, same-\d\n$/)
    })
  )

  test.effect("says how to answer a task that needs help, and refuses messages to one that is over", () =>
    Effect.gen(function* () {
      yield* reset
      const { model, url } = yield* Stage
      model.script("Ask me", end("needs_help", "Which one?"), end("completed", "done"))
      const id = yield* createTask("Ask me")
      yield* untilStatus(id, "NEEDS_HELP")
      const on = (...args: ReadonlyArray<string>) => cli(["task", ...args, "--url", url])
      const { stdout } = yield* on("show", id)
      assert.include(stdout, `bytebot-agent task message ${id} "…"`)
      assert.include(stdout, `bytebot-agent task resume ${id}`)
      assert.strictEqual((yield* on("message", id, "the left one")).code, 0)
      assert.strictEqual((yield* on("resume", id)).code, 0)
      yield* untilStatus(id, "COMPLETED")
      const refused = yield* on("message", id, "too late")
      assert.strictEqual(refused.code, 1)
      assert.match(
        refused.stderr,
        /^The task .* is COMPLETED: its agent reads no messages\. Create a new task instead\.\n$/
      )
      assert.notInclude((yield* on("watch", id)).stdout, "too late")
    })
  )

  test.effect("sends files along with a new task, and says which one it cannot read", () =>
    Effect.gen(function* () {
      yield* reset
      const { url } = yield* Stage
      const folder = yield* temporaryFolder
      const file = join(folder, "numbers.csv")
      yield* Effect.promise(() => writeFile(file, "1,2\n"))
      const made = yield* cli(["task", "create", "Add up", "--file", file, "--json", "--url", url])
      assert.strictEqual(made.code, 0, made.stderr)
      const id = /"id":"([^"]+)"/.exec(made.stdout)?.[1] ?? ""
      assert.match((yield* cli(["task", "show", id, "--url", url])).stdout, /^file: numbers\.csv \(4 bytes\)$/m)
      const missing = yield* cli(["task", "create", "Add up", "--file", join(folder, "none.csv"), "--url", url])
      assert.strictEqual(missing.code, 2)
      assert.include(missing.stderr, "none.csv")
    }).pipe(Effect.scoped)
  )
})

layer(AccountsStage.layer(), { timeout: "60 seconds", excludeTestServices: true })("bytebot-agent login", (test) => {
  test.effect("keeps the token for the other commands, where only its owner can read it", () =>
    Effect.gen(function* () {
      const { register, url } = yield* AccountsStage
      yield* register("cli@example.org")
      const folder = yield* temporaryFolder
      const at = { BYTEBOT_URL: url, XDG_CONFIG_HOME: folder }
      const before = yield* cli(["task", "list"], at)
      assert.strictEqual(before.code, 4)
      assert.include(before.stderr, "bytebot-agent login")
      const log = (PASSWORD: string) => cli(["login", "--email", "cli@example.org"], { ...at, PASSWORD }, withPassword)
      assert.strictEqual((yield* log("wrong")).code, 4)
      const { code, stderr, stdout } = yield* log(password)
      assert.strictEqual(code, 0, stderr)
      assert.include(stdout, `Logged in at ${url} as cli@example.org`)
      assert.strictEqual(statSync(join(folder, "bytebot-agent", "logins.json")).mode & 0o777, 0o600)
      assert.strictEqual((yield* cli(["task", "list"], at)).code, 0)
    }).pipe(Effect.scoped)
  )
})

describe("an error of usage", () => {
  it.live("takes one line, with what was meant and where to read on", () =>
    Effect.gen(function* () {
      const cases = [
        [["tsk"], 'Unknown subcommand "tsk" for "bytebot-agent" (did you mean task?). See: bytebot-agent --help\n'],
        [["task", "show"], "Missing required argument: id. See: bytebot-agent task show --help\n"],
        [["user", "create"], "Missing required flag: --email. See: bytebot-agent user create --help\n"]
      ] as const
      for (const [args, words] of cases) {
        const { code, stderr, stdout } = yield* cli(args)
        assert.deepStrictEqual([code, stdout, stderr], [2, "", words])
      }
    })
  )
})
