import { type ChildProcess, spawn } from "node:child_process"
import { readFileSync } from "node:fs"
import { rm } from "node:fs/promises"
import { get } from "node:http"
import { NodeRuntime } from "@effect/platform-node"
import { Effect, Redacted } from "effect"
import * as EmbeddedPostgres from "../src/database/EmbeddedPostgres.ts"
import { freePort } from "../test/support/ServiceProcess.ts"
import { until } from "../test/support/Waiting.ts"
import { say } from "./report.ts"
import { cpuMilliseconds, folder } from "./serviceProcess.ts"
import { inWords, median, spread } from "./statistics.ts"
import { conclude } from "./verdict.ts"

/**
 * From the command to a service that listens, and to one that is ready for tasks: by what a user runs, what the container runs, and from
 * the sources, on a server that has been migrated; and from nothing, with the private one. Then the memory of the idle service.
 */

const rounds = 7
const idleFor = "10 seconds"

const commands = {
  "npm start": ["npm", "start", "--silent"],
  "the command of npm start": [process.execPath, "bin/bytebot-agent.js", "serve"],
  "the container's command": [process.execPath, "dist/service/main.js"],
  "the sources": [process.execPath, "src/main.ts"]
} as const
const promised = ["the command of npm start", "the container's command"] as const

const statusOf = (url: string): Promise<number> =>
  new Promise((resolve) => {
    get(url, { agent: false }, (answer) => {
      answer.resume()
      resolve(answer.statusCode ?? 0)
    }).on("error", () => resolve(0))
  })

/** Milliseconds from `begun` until the URL answers 200. */
const answers = Effect.fnUntraced(function* (url: string, begun: number) {
  for (;;) {
    const status = yield* Effect.promise(() => statusOf(url))
    const now = performance.now()
    if (status === 200) return now - begun
    if (now - begun > 60_000) return yield* Effect.die(new Error(`${url} does not answer`))
    yield* Effect.sleep("5 millis")
  }
})

/** Ends a process and those it has started, by its group. */
const end = (child: ChildProcess) =>
  Effect.callback<void>((resume) => {
    child.once("exit", () => resume(Effect.void))
    if (child.pid !== undefined) process.kill(-child.pid, "SIGTERM")
  })

const launch = (command: ReadonlyArray<string>, variables: Readonly<Record<string, string>>) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const [program = "", ...rest] = command
      return spawn(program, rest, {
        detached: true,
        stdio: "ignore",
        env: { ...process.env, HOST: "127.0.0.1", ...variables }
      })
    }),
    end
  )

const megabytesOf = (pid: number, entry: string): number => {
  const status = readFileSync(`/proc/${pid}/status`, "utf8")
  return Number(new RegExp(`^${entry}:\\s+(\\d+) kB$`, "m").exec(status)?.[1] ?? 0) / 1024
}

const start = Effect.fnUntraced(function* (
  command: ReadonlyArray<string>,
  variables: Readonly<Record<string, string>>,
  isIdle = false
) {
  const port = yield* freePort
  const begun = performance.now()
  const child = yield* launch(command, { ...variables, PORT: String(port) })
  const listening = yield* answers(`http://127.0.0.1:${port}/health/live`, begun)
  const ready = yield* answers(`http://127.0.0.1:${port}/health/ready`, begun)
  const pid = child.pid ?? 0
  const cpu = cpuMilliseconds(pid)
  if (isIdle) yield* Effect.sleep(idleFor)
  return { listening, ready, cpu, memory: megabytesOf(pid, "VmRSS") }
}, Effect.scoped)

const program = Effect.gen(function* () {
  const { url } = yield* EmbeddedPostgres.make({ dataDir: yield* folder, database: "bytebot", settings: {} })
  const server = { DATABASE_URL: Redacted.value(url) }
  const names = ["npm start", ...promised, "the sources"] as const
  const measured: Array<{
    readonly name: keyof typeof commands
    readonly listening: number
    readonly ready: number
    readonly cpu: number
  }> = []
  for (let round = -1; round < rounds; round++) {
    for (const name of names) {
      const times = yield* start(commands[name], server)
      // The first round migrates, and warms up.
      if (round >= 0) measured.push({ name, ...times })
    }
  }
  const startedBy = (name: keyof typeof commands) => {
    const times = measured.filter((one) => one.name === name)
    return {
      listening: spread(times.map(({ listening }) => listening)),
      ready: spread(times.map(({ ready }) => ready)),
      cpu: spread(times.map(({ cpu }) => cpu))
    }
  }
  const started = Object.fromEntries(names.map((name) => [name, startedBy(name)]))
  for (const [name, { cpu, listening, ready }] of Object.entries(started)) {
    yield* say(
      `${name}: listens after ${inWords(listening)} ms, ready after ${inWords(ready)} ms, having had a processor for ${inWords(cpu)}`
    )
  }

  const fromNothing: Array<number> = []
  for (let round = 0; round < 3; round++) {
    const dataDir = yield* folder
    const { ready } = yield* start(commands["the command of npm start"], {
      BYTEBOT_DATA_DIR: dataDir,
      DATABASE_URL: ""
    })
    fromNothing.push(ready)
    yield* until(
      "the private server has ended",
      Effect.promise(() => rm(dataDir, { recursive: true, force: true }).then(() => true))
    )
  }
  yield* say(`from nothing, with the private server: ready after ${inWords(spread(fromNothing))} ms`)

  const memory: Record<string, number> = {}
  for (const name of promised) memory[name] = (yield* start(commands[name], server, true)).memory
  yield* say(`resident memory after ${idleFor}, MB: ${JSON.stringify(memory)}`)

  yield* conclude("start", { started, fromNothing: spread(fromNothing), memory }, [
    ...promised.flatMap((name) => [
      {
        what: `${name}: ready on a migrated server, ms`,
        reached: startedBy(name).ready.median,
        atMost: 700
      },
      { what: `${name}: idle memory, MB`, reached: memory[name] ?? Number.NaN, atMost: 130 }
    ]),
    { what: "ready from nothing, ms", reached: median(fromNothing), atMost: 3_000 }
  ])
}).pipe(Effect.scoped)

NodeRuntime.runMain(program)
