import { spawn } from "node:child_process"
import { mkdtemp, rm } from "node:fs/promises"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"

/** What a newcomer does: `npm start` answers, Ctrl-C ends it cleanly, and after a kill all data is there. `npm run demo` completes. */

const freePort = (): Promise<number> =>
  new Promise((resolve, reject) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const address = server.address()
      server.close(() =>
        typeof address === "object" && address !== null ? resolve(address.port) : reject(new Error("no port"))
      )
    })
  })

const fail = (message: string): never => {
  throw new Error(message)
}

/** The service in a process group of its own, so that signals reach it as from a terminal. */
const start = async (folder: string, port: number, command: string, ...args: ReadonlyArray<string>) => {
  const child = spawn(command, args, {
    detached: true,
    stdio: ["ignore", "pipe", "inherit"],
    env: { ...process.env, PORT: String(port), BYTEBOT_DATA_DIR: folder, ANTHROPIC_API_KEY: "unused" }
  })
  const exited = new Promise<number | null>((resolve) => child.once("exit", (code) => resolve(code)))
  const begun = Date.now()
  const url = `http://127.0.0.1:${port}`
  for (;;) {
    const answers = await fetch(`${url}/tasks`).then(
      (response) => response.status === 200,
      () => false
    )
    if (answers) break
    if (child.exitCode !== null) fail(`the service ended with ${child.exitCode}`)
    if (Date.now() - begun > 60_000) fail("the service did not answer within a minute")
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  const signal = (name: NodeJS.Signals) => process.kill(-(child.pid ?? fail("no process")), name)
  return { url, exited, signal, ms: Date.now() - begun }
}

const folder = await mkdtemp(join(tmpdir(), "bytebot-smoke-"))
try {
  const port = await freePort()
  const first = await start(folder, port, "npm", "start", "--silent")
  const created = await fetch(`${first.url}/tasks`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ description: "survives a kill" })
  })
  if (created.status !== 201) fail(`POST /tasks answered ${created.status}`)
  // The parts that are loaded when they are first asked for, or lie in folders of their own.
  for (const path of ["/socket.io/socket.io.js", "/docs", "/openapi.json", "/asyncapi.json", "/tasks/models"]) {
    const { status } = await fetch(`${first.url}${path}`)
    if (status !== 200) fail(`GET ${path} answered ${status}`)
  }
  first.signal("SIGKILL")
  await first.exited

  // Without npm around it, whose own exit code says nothing after a signal.
  const second = await start(folder, port, process.execPath, "src/main.ts")
  const list = await fetch(`${second.url}/tasks`).then((response) => response.text())
  if (!list.includes("survives a kill")) fail("the task was lost by a kill")
  second.signal("SIGINT")
  const code = await second.exited
  if (code !== 0) fail(`after Ctrl-C the service ended with ${code}`)
  const again = await fetch(`${second.url}/tasks`).then(
    () => true,
    () => false
  )
  if (again) fail("something still listens after Ctrl-C")
  process.stdout.write(
    `npm start answered after ${first.ms} ms, after a kill and with its data after ${second.ms} ms\n`
  )

  const demo = spawn("npm", ["run", "demo", "--silent", "--", "--once"], { stdio: ["ignore", "ignore", "inherit"] })
  const demoCode = await new Promise<number | null>((resolve) => demo.once("exit", (status) => resolve(status)))
  if (demoCode !== 0) fail(`npm run demo ended with ${demoCode}`)
  process.stdout.write("npm run demo completed its tasks\n")
} finally {
  await rm(folder, { recursive: true, force: true })
}
