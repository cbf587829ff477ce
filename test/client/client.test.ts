import { execFile } from "node:child_process"
import { mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import { assert, layer } from "@effect/vitest"
import { Effect, Fiber, Result, Stream } from "effect"
import { rolldown } from "rolldown"
import { makeRestClient, makeRpcClient } from "../../src/client/BytebotClient.ts"
import { AccountsStage, people } from "../accounts/AccountsStage.ts"
import { until } from "../support/Waiting.ts"

const project = fileURLToPath(new URL("../../", import.meta.url))
const run = promisify(execFile)

const temporaryFolder = Effect.acquireRelease(
  Effect.promise(() => mkdtemp(join(tmpdir(), "bytebot-client-"))),
  (folder) => Effect.promise(() => rm(folder, { recursive: true, force: true }))
)

layer(AccountsStage.layer(), { timeout: "120 seconds", excludeTestServices: true })("the typed client", (test) => {
  test.effect("speaks REST, with the API's errors", () =>
    Effect.gen(function* () {
      const { url } = yield* AccountsStage
      const { owner, stranger } = yield* people
      const token = owner.bearer.authorization?.slice(7)
      const client = yield* makeRestClient({ url, token })
      const task = yield* client.tasks.create({
        payload: { description: "typed", priority: "HIGH" }
      })
      assert.strictEqual(task.priority, "HIGH")
      const found = yield* client.tasks.get({ params: { id: task.id } })
      assert.deepStrictEqual(found.files, [])
      yield* client.messages.add({ params: { id: task.id }, payload: { message: "hello" } })
      const messages = yield* client.messages.list({ params: { id: task.id }, query: { limit: 100 } })
      assert.isAtLeast(messages.length, 2)
      const others = yield* makeRestClient({ url, token: stranger.bearer.authorization?.slice(7) })
      const missing = yield* Effect.result(others.tasks.get({ params: { id: task.id } }))
      assert.isTrue(Result.isFailure(missing) && missing.failure._tag === "TaskNotFound")
      const nobody = yield* makeRestClient({ url })
      const refused = yield* Effect.result(nobody.tasks.list({ query: {} }))
      assert.isTrue(Result.isFailure(refused) && refused.failure._tag === "Unauthorized")
    })
  )

  test.effect("refuses to speak RPC without a global WebSocket, and says what to do", () =>
    Effect.gen(function* () {
      const { url } = yield* AccountsStage
      const { WebSocket } = globalThis
      yield* Effect.acquireRelease(
        Effect.sync(() => Reflect.deleteProperty(globalThis, "WebSocket")),
        () => Effect.sync(() => Object.assign(globalThis, { WebSocket }))
      )
      const error = yield* Effect.flip(makeRpcClient({ url }))
      assert.strictEqual(error._tag, "WebSocketMissing")
      assert.match(error.message, /Node 22 or newer/)
    })
  )

  test.effect("speaks RPC, and watches from a position on", () =>
    Effect.gen(function* () {
      const { url } = yield* AccountsStage
      const { owner, stranger } = yield* people
      const token = owner.bearer.authorization?.slice(7)
      const client = yield* makeRpcClient({ url, token })
      const task = yield* client.CreateTask({ description: "by RPC" })
      const seen: Array<string> = []
      const watching = yield* client.WatchTask({ id: task.id, after: "0" }).pipe(
        Stream.runForEach((event) =>
          Effect.sync(() => {
            seen.push(event._tag)
          })
        ),
        Effect.forkChild
      )
      yield* until(
        "the past",
        Effect.sync(() => (seen.includes("TaskCreated") ? true : undefined))
      )
      yield* client.AddMessage({ id: task.id, message: "hello" })
      yield* until(
        "the message",
        Effect.sync(() => (seen.includes("NewMessage") ? true : undefined))
      )
      yield* client.TakeOverTask({ id: task.id })
      const again = yield* Effect.result(client.TakeOverTask({ id: task.id }))
      assert.isTrue(Result.isFailure(again) && again.failure._tag === "TaskNotUnderAgentControl")
      yield* client.DeleteTask({ id: task.id })
      yield* Fiber.join(watching)
      assert.strictEqual(seen.at(-1), "TaskDeleted")

      const other = yield* makeRpcClient({ url, token: stranger.bearer.authorization?.slice(7) })
      const own = yield* client.CreateTask({ description: "not yours" })
      const foreign = yield* Effect.result(Stream.runDrain(other.WatchTask({ id: own.id })))
      assert.isTrue(Result.isFailure(foreign) && foreign.failure._tag === "TaskNotFound")
      const nobody = yield* makeRpcClient({ url })
      const refused = yield* Effect.result(nobody.ListTasks({}))
      assert.isTrue(Result.isFailure(refused) && refused.failure._tag === "Unauthorized")
    }).pipe(Effect.scoped)
  )

  test.effect("is built for Node: the documented example runs against the service", () =>
    Effect.gen(function* () {
      const { url } = yield* AccountsStage
      const { key } = yield* people
      const folder = yield* temporaryFolder
      yield* Effect.promise(() =>
        run(
          process.execPath,
          [
            join(project, "node_modules/typescript/bin/tsc"),
            "-p",
            "tsconfig.client.json",
            "--outDir",
            join(folder, "dist")
          ],
          { cwd: project }
        )
      )
      const page = yield* Effect.promise(() => readFile(join(project, "docs/client.md"), "utf8"))
      const example = /```js\n(import \{ Effect, Stream \}[\s\S]*?)```/.exec(page)?.[1] ?? ""
      assert.include(example, "bytebot-agent/client")
      yield* Effect.promise(async () => {
        await symlink(join(project, "node_modules"), join(folder, "node_modules"))
        await writeFile(join(folder, "package.json"), '{"type": "module"}')
        const script = example
          .replace("bytebot-agent/client", "./dist/client/BytebotClient.js")
          .replace("http://localhost:9991", url)
          .replace(/token: undefined/, `token: "${key.authorization?.slice(7)}"`)
        await writeFile(join(folder, "example.js"), script)
      })
      const { stdout } = yield* Effect.promise(() =>
        run(process.execPath, [join(folder, "example.js")], { timeout: 30_000 })
      )
      assert.match(stdout, /TaskCreated/)
    }).pipe(Effect.scoped)
  )

  test.effect("bundles for the browser, with nothing of the server in it", () =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      const bundle = yield* Effect.promise(() =>
        rolldown({ input: join(project, "src/client/BytebotClient.ts"), platform: "browser" })
      )
      yield* Effect.promise(() => bundle.write({ dir: folder, format: "esm" }))
      const files = yield* Effect.promise(() => readdir(folder))
      const code = (yield* Effect.promise(() =>
        Promise.all(files.map((file) => readFile(join(folder, file), "utf8")))
      )).join("\n")
      assert.notMatch(code, /from "node:|require\("node:|from "pg"|from "socket\.io"/)
      assert.notInclude(code, "TaskRun")
      assert.include(code, "WatchTask")
    }).pipe(Effect.scoped)
  )
})
