import { spawn } from "node:child_process"
import { stripVTControlCharacters } from "node:util"
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Anthropic from "../emulators/anthropic.ts"
import * as Desktop from "../emulators/desktop.ts"
import { environment, fileOf } from "../support/Programs.ts"
import { decodeTask, request } from "../support/RestClient.ts"
import { freePort } from "../support/ServiceProcess.ts"
import { migrated } from "../support/TestDatabase.ts"
import { until } from "../support/Waiting.ts"

/** The service on a terminal of its own: what is on the screen, and Ctrl-C. */
const serveOnTerminal = Effect.fnUntraced(function* (variables: Readonly<Record<string, string>>) {
  const child = yield* Effect.acquireRelease(
    Effect.sync(() =>
      spawn("script", ["--quiet", "--return", "--command", `exec ${process.execPath} ${fileOf("main")}`, "/dev/null"], {
        cwd: "/",
        env: { ...environment(), TERM: "xterm-256color", HOST: "127.0.0.1", BYTEBOT_SETTLE_DELAY: "1", ...variables },
        stdio: ["pipe", "pipe", "inherit"]
      })
    ),
    (process) => Effect.sync(() => process.kill("SIGKILL"))
  )
  let output = ""
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    output += text
  })
  const screen = () => stripVTControlCharacters(output).replaceAll(/\r|\^C/g, "")
  const interrupt = Effect.callback<number | null>((resume) => {
    child.once("close", (code) => resume(Effect.succeed(code)))
    child.stdin.write("\u0003")
  })
  return { screen, interrupt }
})

it.live(
  "on a terminal the service shows a banner, a line for each request and step with the task's words, and ends quietly",
  () =>
    Effect.gen(function* () {
      const model = yield* Anthropic.scoped()
      const desktop = yield* Desktop.scoped()
      model.enqueue(
        { content: [{ type: "tool_use", name: "computer_screenshot", input: {} }] },
        { content: [{ type: "tool_use", name: "set_task_status", input: { status: "failed", description: "No way" } }] }
      )
      const port = yield* freePort
      const { interrupt, screen } = yield* serveOnTerminal({
        PORT: String(port),
        DATABASE_URL: yield* migrated,
        ANTHROPIC_API_KEY: "any",
        ANTHROPIC_BASE_URL: model.url,
        BYTEBOT_DESKTOP_BASE_URL: desktop.url
      })
      yield* until(
        "the banner shows",
        Effect.sync(() => (screen().includes("Address") ? true : undefined)),
        "60 seconds"
      )
      const url = `http://127.0.0.1:${port}`
      const created = yield* request(url, "POST", "/tasks", { description: "Find\na way\u001b[2J" })
      const { id } = decodeTask(created.json)
      yield* until(
        "the task ends",
        Effect.sync(() => (screen().includes("Task ended") ? true : undefined)),
        "30 seconds"
      )
      assert.strictEqual(yield* interrupt, 0)

      const text = screen()
      assert.match(text, new RegExp(`^  Address +http://localhost:${port}$`, "m"))
      const lines = text.split("\n").filter((line) => /^\d\d:\d\d:\d\d /.test(line))
      const task = `task=${id.slice(0, 8)}`
      const about = (words: string) => lines.filter((line) => line.includes(words))
      assert.match(about("POST /tasks")[0] ?? "", /INFO {2}POST \/tasks 201 [\d.]+ ms$/)
      assert.include(about("Task started")[0], `${task} desktop=${desktop.url} description=Find a way`)
      assert.strictEqual(about(`Tool done ${task}`).length, 2)
      assert.include(about("Task ended")[0] ?? "", `${task} iteration=2 status=FAILED reason=No way`)
      assert.match(lines.at(-1) ?? "", /The service is stopping$/)
      assert.deepStrictEqual(about("WARN"), [])
      assert.notMatch(text, /\(#\d+\)/)
    }).pipe(Effect.scoped),
  120_000
)
