import { execFileSync, spawn } from "node:child_process"
import { cpSync, mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { NodeRuntime } from "@effect/platform-node"
import { Effect, Redacted } from "effect"
import * as EmbeddedPostgres from "../src/database/EmbeddedPostgres.ts"
import { freePort } from "../test/support/ServiceProcess.ts"

/**
 * The Dockerfile's steps in an empty folder, for where there is no Docker: what it copies, the production install, the start, the health
 * check's own command, and the end by SIGTERM. Prints how large the image's part beyond its base is.
 */

const lines = readFileSync("Dockerfile", "utf8")
  .replaceAll(/\\\n\s*/g, " ")
  .split("\n")
const rest = (name: string) =>
  lines.filter((line) => line.startsWith(`${name} `)).map((line) => line.slice(name.length + 1))

const temporaryFolder = (name: string) =>
  Effect.acquireRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), name))),
    (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true }))
  )

const say = (line: string) => Effect.sync(() => process.stdout.write(`${line}\n`))

const program = Effect.gen(function* () {
  const folder = yield* temporaryFolder("bytebot-image-")
  for (const copy of rest("COPY").filter((line) => !line.startsWith("--from"))) {
    for (const name of copy.split(" ").slice(0, -1)) cpSync(name, join(folder, name), { recursive: true })
  }
  for (const command of rest("RUN")) execFileSync("sh", ["-c", command], { cwd: folder, stdio: "ignore" })
  const size = execFileSync("du", ["-sm", folder], { encoding: "utf8" }).split("\t")[0]

  const dataDir = yield* temporaryFolder("bytebot-image-data-")
  const { url } = yield* EmbeddedPostgres.make({ dataDir, database: "bytebot", settings: {} })
  const port = yield* freePort
  const environment = {
    PATH: process.env.PATH,
    NODE_ENV: "production",
    DATABASE_URL: Redacted.value(url),
    HOST: "127.0.0.1",
    PORT: String(port)
  }
  const [start = "[]"] = rest("CMD").slice(-1)
  const service = spawn(process.execPath, JSON.parse(start).slice(1), {
    cwd: folder,
    env: environment,
    stdio: "inherit"
  })
  const ended = new Promise<number | null>((resolve) => service.once("exit", resolve))
  yield* Effect.addFinalizer(() => Effect.sync(() => service.kill("SIGKILL")))
  const begun = performance.now()
  const ask = Effect.promise(() =>
    fetch(`http://127.0.0.1:${port}/health/ready`).then(
      ({ ok }) => ok,
      () => false
    )
  )
  while (!(yield* ask)) {
    if (performance.now() - begun > 60_000) return yield* Effect.die(new Error("The image's service is not ready"))
    yield* Effect.sleep("50 millis")
  }
  const startedIn = performance.now() - begun
  const [check = ""] = rest("HEALTHCHECK")
  const command: ReadonlyArray<string> = JSON.parse(check.slice(check.indexOf("[")))
  execFileSync(process.execPath, command.slice(1), { cwd: folder, env: environment })
  service.kill("SIGTERM")
  const code = yield* Effect.promise(() => ended)
  if (code !== 0) return yield* Effect.die(new Error(`After SIGTERM the image's service ended with ${code}`))
  yield* say(
    `The image adds ${size} MB to its base; ready after ${Math.round(startedIn)} ms, healthy, and ended with 0`
  )
}).pipe(Effect.scoped)

NodeRuntime.runMain(program)
