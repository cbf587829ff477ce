import { spawn } from "node:child_process"
import { cp, mkdir, mkdtemp, readFile, rm } from "node:fs/promises"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import { dirname, join, resolve } from "node:path"

/**
 * Runs the README's commands as written, from top to bottom, in a fresh copy of the project: a block `sh` must end with 0; a block
 * `sh terminal` is one command that stays, in a terminal of its own. Only the ports are others, so that no other service is in the way.
 */

const root = resolve(import.meta.dirname, "..")

const fail = (message: string): never => {
  throw new Error(message)
}

/** A command of the README that takes longer is stuck; ms. */
const timeout = 120_000

interface Block {
  readonly isTerminal: boolean
  readonly text: string
}

const blocksOf = (page: string): ReadonlyArray<Block> =>
  [...page.matchAll(/^```sh( terminal)?\n([\s\S]*?)^```$/gm)].map(([, terminal, text = ""]) => ({
    isTerminal: terminal !== undefined,
    text
  }))

const freePort = (): Promise<number> =>
  new Promise((done, refuse) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const address = server.address()
      server.close(() =>
        typeof address === "object" && address !== null ? done(address.port) : refuse(new Error("no port"))
      )
    })
  })

/** A shell in a process group of its own, whose output is kept. */
const shell = (cwd: string, env: Record<string, string | undefined>, args: ReadonlyArray<string>) => {
  const child = spawn("bash", args, { cwd, env, detached: true, stdio: ["pipe", "pipe", "pipe"] })
  const kept = { output: "" }
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding("utf8").on("data", (text) => (kept.output += text))
  const exited = new Promise<void>((done) => child.once("close", () => done()))
  const until = async (pattern: RegExp, what: string) => {
    const begun = Date.now()
    while (!pattern.test(kept.output)) {
      if (child.exitCode !== null) fail(`The README's command ended with ${child.exitCode}: ${what}\n${kept.output}`)
      if (Date.now() - begun > timeout) fail(`The README's command took too long: ${what}\n${kept.output}`)
      await new Promise((again) => setTimeout(again, 20))
    }
  }
  const end = async () => {
    if (child.exitCode === null && child.pid !== undefined) process.kill(-child.pid, "SIGTERM")
    await exited
  }
  return { child, kept, until, end }
}

/** A copy of what git knows or would add, as a clone has it. */
const copyProject = async (folder: string) => {
  const { kept, child } = shell(root, process.env, ["-c", "git ls-files --cached --others --exclude-standard"])
  await new Promise((done) => child.once("close", done))
  for (const name of kept.output.split("\n").filter((line) => line !== "")) {
    await mkdir(dirname(join(folder, name)), { recursive: true })
    await cp(join(root, name), join(folder, name))
  }
}

const folder = await mkdtemp(join(tmpdir(), "bytebot-tour-"))
const terminals: Array<ReturnType<typeof shell>> = []
try {
  await copyProject(folder)
  const blocks = blocksOf(await readFile(join(folder, "README.md"), "utf8"))
  const ports = new Map([
    ["9991", await freePort()],
    ["9990", await freePort()],
    ["9801", await freePort()]
  ])
  const ownPorts = (text: string) => text.replace(/\b(9991|9990|9801)\b/g, (port) => String(ports.get(port)))
  const { ANTHROPIC_API_KEY, OPENAI_API_KEY, GEMINI_API_KEY, DATABASE_URL, ...inherited } = process.env
  const env = {
    ...inherited,
    PORT: String(ports.get("9991")),
    BYTEBOT_URL: `http://localhost:${ports.get("9991")}`,
    LOG_FORMAT: "pretty"
  }
  const main = shell(folder, env, ["-e", "-o", "pipefail"])
  terminals.push(main)
  for (const [index, { isTerminal, text }] of blocks.entries()) {
    const command = ownPorts(text)
    process.stdout.write(`\n$ ${command.trim().replaceAll("\n", "\n$ ")}\n`)
    if (isTerminal) {
      const terminal = shell(folder, env, ["-c", command])
      terminals.push(terminal)
      await terminal.until(/http:\/\/(?:localhost|127\.0\.0\.1|0\.0\.0\.0):\d+/, command)
    } else {
      const seen = main.kept.output.length
      main.child.stdin.write(`${command}\necho; echo "end of block ${index}"\n`)
      await main.until(new RegExp(`^end of block ${index}$`, "m"), command)
      const output = main.kept.output.slice(seen).replace(/\s*end of block \d+\s*$/, "\n")
      process.stdout.write(output.length > 1500 ? `${output.slice(0, 1500)}…\n` : output)
      // Errors of the API end no shell.
      if (/"statusCode":\s*[45]\d\d/.test(output)) fail(`The README's request was refused: ${command}\n${output}`)
    }
  }
  if (!main.kept.output.includes("[COMPLETED]")) fail("The README's task was not completed")
  process.stdout.write(`\nThe README's ${blocks.length} blocks ran from top to bottom\n`)
} finally {
  for (const terminal of terminals.toReversed()) await terminal.end()
  await rm(folder, { recursive: true, force: true })
}
